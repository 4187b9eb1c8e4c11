"""What the composition root promises beyond what `clew serve` shows from outside."""

from anyio import to_thread

from clew.app import leave_a_reader_to_the_watcher
from clew.store.embedded import READERS


async def test_requests_never_hold_the_last_reader():
    leave_a_reader_to_the_watcher()
    assert 0 < to_thread.current_default_thread_limiter().total_tokens < READERS
