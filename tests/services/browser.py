"""A real browser: Debian's Chromium, headless, led by Playwright, that reaches no machine but this one.

Its program for that only: `chromium --headless` makes a whole window with pages of its own for each context, which takes
four times the CPU seconds of the page that is looked at (2.4 instead of 0.6).
"""

import contextlib
import shutil
import signal
from collections.abc import Iterator

from playwright.sync_api import Browser, BrowserContext, Error, sync_playwright

from tests.services.packages import ensure_installed

# No sandbox: Chromium refuses to start in one as root. The rest keeps it from asking its maker's servers.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-default-browser-check"),
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",),
)
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A running browser; pages of its own contexts share nothing. Raises Unavailable when it can't be had."""
    program = ensure_installed("Chromium without a window", _program, PACKAGES)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


def _program() -> str | None:
    return shutil.which("chromium-headless-shell")


def leave(context: BrowserContext) -> None:
    """Closes a context whose pages may be on their way to another page.

    Chromium forgets to close a page that commits a navigation in the same moment: the page lives on, and Playwright waits
    for its end without any limit (seen with Chromium 156). So each page goes to an empty one and arrives there first.
    """
    for page in context.pages:
        with contextlib.suppress(Error):  # the page went elsewhere by itself
            page.goto("about:blank", timeout=10_000)
    context.close()


class Chromium:
    """A browser that is given up when it hangs, and started again for who asks next."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._running: Browser | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Browser]:
        """The running browser, for so long; then what waits for it raises TimeoutError at the line that waits.

        Many of Playwright's calls have no limit of their own: a new page, `evaluate`, `count`, `close`.
        """
        if self._running is None:
            self._running = self._stack.enter_context(browser())
        late: list[bool] = []
        try:
            with _at_most(seconds, late):
                yield self._running
        finally:
            if late:
                self.stop()

    def stop(self) -> None:
        """End the browser, if there is one."""
        self._running = None
        with contextlib.suppress(TimeoutError), _at_most(20, []):
            self._stack.close()


@contextlib.contextmanager
def _at_most(seconds: float, late: list[bool]) -> Iterator[None]:
    """Raises TimeoutError in the block of the main thread that takes longer, and notes it."""

    def end(*_: object) -> None:
        late.append(True)
        raise TimeoutError(f"the browser was not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
