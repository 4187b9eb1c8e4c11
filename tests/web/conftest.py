"""A browser on the pages of a small shop's day. Any error on a page's console fails the test that looked at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from clew.api import ApiDeps, create_api
from clew.store.embedded import open_store
from clew.web import create_web, site
from tests.services.browser import Chromium, leave
from tests.services.packages import Unavailable
from tests.serving import serving
from tests.story import tell

PATIENCE_SECONDS = 100.0
"""Of a test with its browser: less than what any test may take, as the failure then names the line that waits."""
AXE = Axe()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WCAG = {"runOnly": RULES, "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A browser for the tests of a module. Playwright's loop runs in this thread meanwhile: no test here is async."""
    browser = Chromium()
    yield browser
    browser.stop()


@pytest.fixture
def running(chromium: Chromium) -> Iterator[Browser]:
    """That browser, for a test that is done in time."""
    try:
        with chromium.within(PATIENCE_SECONDS) as browser:
            yield browser
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDeps]:
    """The day of tests.story in a store, of a module: a process has one engine open. Tests only read it."""
    store = open_store(tmp_path_factory.mktemp("web"))
    yield tell(store)
    store.close()


@pytest.fixture(scope="module")
def url(told: ApiDeps) -> Iterator[str]:
    """The address of pages and API over that day."""
    with serving(site(create_api(told), create_web(told))) as address:
        yield address


@dataclass
class Viewer:
    """A person at a browser: opens pages by their path."""

    page: Page
    url: str
    said: list[str] = field(default_factory=list)

    def open(self, path: str, status: int = 200) -> Page:
        """The page at a path, loaded."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == status, answer.text()[:2_000]
        return self.page

    def complaints(self) -> list[str]:
        """What axe has against the page as it is now (https://github.com/dequelabs/axe-core, WCAG 2.2 AA)."""
        found = AXE.run(self.page, options=WCAG).response["violations"]
        return [f"{each['id']}: {each['help']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.fixture
def viewer(running: Browser, url: str) -> Iterator[Viewer]:
    """A viewer in Berlin with a wide window. Errors on the console and requests to elsewhere fail the test."""
    yield from _viewer(running, url)


@pytest.fixture
def viewer_of(running: Browser, url: str) -> Iterator[Callable[..., Viewer]]:
    """Makes viewers with other windows: ``viewer_of(width=390, color_scheme="dark", java_script_enabled=False)``."""
    made = []

    def make(width: int = 1440, height: int = 900, **context: object) -> Viewer:
        made.append(_viewer(running, url, viewport={"width": width, "height": height}, **context))
        return next(made[-1])

    yield make
    for each in made:
        next(each, None)


def _viewer(running: Browser, url: str, **context: object) -> Iterator[Viewer]:
    settings = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Berlin"} | context
    opened = running.new_context(**settings)
    opened.add_cookies([{"name": "clew_zone", "value": "Europe/Berlin", "url": url}])
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer = Viewer(opened.new_page(), url)

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            viewer.said.append(message.text)

    viewer.page.on("console", hear)
    viewer.page.on("pageerror", lambda error: viewer.said.append(str(error)))
    viewer.page.on("request", lambda asked: asked.url.startswith((url, "data:")) or viewer.said.append(asked.url))
    yield viewer
    leave(opened)
    assert viewer.said == []
