"""A real browser: Debian's Chromium, headless, led by Playwright, that reaches no machine but this one."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.services.packages import ensure_installed

# No sandbox: Chromium refuses to start in one as root. The rest keeps it from asking its maker's servers.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-default-browser-check"),
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",),
)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A running browser; pages of its own contexts share nothing. Raises Unavailable when it can't be had."""
    program = ensure_installed("Chromium", lambda: shutil.which("chromium"), ("chromium", "fonts-dejavu-core"))
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()
