"""Takes the pictures of the pages: every page as Chromium shows it, over the data that a story of the demo left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser

from tests.services.browser import browser
from tests.serving import clew_serve

IMAGES = Path(__file__).parent / "images"
WINDOW = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def take_pages(data: Path, order: str) -> None:
    """Write docs/images/page-*.png from a data directory; ``order`` is the one whose page is shown."""
    with clew_serve(data) as url, browser() as running:
        journey = httpx.get(f"{url}/api/v1/orders/{order}").json()
        trace = max(journey["traces"], key=lambda each: int(each["spans"]))["trace_id"]
        incidents = httpx.get(f"{url}/api/v1/incidents", params={"order": order}).json()["items"]
        pages = {
            "orders": "/",
            "incidents": "/incidents?show=all",
            "incident": f"/incidents/{incidents[0]['incident_id']}",
            "rules": "/rules",
            "order": f"/orders/{order}",
            "traces": "/traces",
            "trace": f"/traces/{trace}",
            "services": "/services?range=24h",
            "service": "/services/mes-api?range=24h",
            "flow": "/flow",
            "funnel": "/flow/funnel",
            "figures": "/figures",
            "status": "/status",
        }
        for name, path in pages.items():
            _take(running, url + path, f"page-{name}", WINDOW)
        _take(running, url + pages["trace"], "page-trace-dark", WINDOW, scheme="dark")
        _take(running, url + "/", "page-orders-phone", PHONE)


def _take(running: Browser, address: str, name: str, window: dict[str, int], scheme: Any = "light") -> None:  # noqa: ANN401
    context = running.new_context(viewport=window, color_scheme=scheme, timezone_id="UTC")  # type: ignore[arg-type]
    page = context.new_page()
    answer = page.goto(address, wait_until="load")
    if answer is None or not answer.ok:
        raise SystemExit(f"{address}: {answer.status if answer else 'no answer'}")
    page.wait_for_timeout(500)  # what scripts add after the page has loaded
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()
