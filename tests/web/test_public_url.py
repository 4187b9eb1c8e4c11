"""A text for a ticket tells an address that others reach, never one that a request claims."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from clew.web import create_web
from tests.serving import serving


@pytest.mark.parametrize("public_url", ["", "https://clew.example.org"])
def test_the_address_in_a_ticket_is_not_that_of_the_host_header(told, public_url):
    deps = replace(told, public_url=public_url)
    with serving(create_web(deps)) as url, httpx.Client(base_url=url, timeout=60) as client:
        port = client.base_url.port
        text = client.get("/orders/4711", headers={"Host": f"localhost:{port}"}).text
    assert f"seen: {public_url}/orders/4711 at " in text
