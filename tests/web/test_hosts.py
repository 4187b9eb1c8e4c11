"""A name that somebody leads to this machine reads nothing: only hosts that are Clew's own are answered."""

from __future__ import annotations

import httpx
import pytest

from clew.api import create_api
from clew.web import create_web, site
from clew.web.hosts import Hosts, hosts_of
from tests.serving import serving

LOOPBACK = hosts_of("127.0.0.1", "", ())
PUBLIC = hosts_of("127.0.0.1", "https://Clew.example.org:8443/here", ("Watch.local", "10.0.0.7"))
OPEN = hosts_of("0.0.0.0", "", ())
OPEN_6 = hosts_of("::", "", ())
NAMED = hosts_of("0.0.0.0", "", ("clew",))


@pytest.mark.parametrize(
    ("hosts", "header", "answered"),
    [
        (LOOPBACK, "127.0.0.1:4380", True), (LOOPBACK, "127.8.9.1", True), (LOOPBACK, "[::1]:4380", True),
        (LOOPBACK, "localhost:4380", True), (LOOPBACK, "LocalHost.", True), (LOOPBACK, "a.localhost", True),
        (LOOPBACK, "evil.example", False), (LOOPBACK, "evil.example:4380", False), (LOOPBACK, "10.0.0.7", False),
        (LOOPBACK, "notlocalhost", False), (LOOPBACK, "127.0.0.1.evil.example", False), (LOOPBACK, "", False),
        (LOOPBACK, "evil.example@localhost", False), (LOOPBACK, "localhost:80.evil.example", False),
        (LOOPBACK, "localhost/evil", False), (LOOPBACK, "[::1", False), (LOOPBACK, ".", False),
        (PUBLIC, "clew.example.org", True), (PUBLIC, "CLEW.example.org.:8443", True), (PUBLIC, "watch.local", True),
        (PUBLIC, "10.0.0.7:4380", True), (PUBLIC, "10.0.0.8", False), (PUBLIC, "example.org", False),
        (OPEN, "10.0.0.8:4380", True), (OPEN, "[fd00::7]:4380", True), (OPEN, "evil.example", False),
        (OPEN_6, "10.0.0.8:4380", True), (OPEN_6, "clew", False),
        (NAMED, "clew:4380", True), (NAMED, "10.0.0.8", False), (NAMED, "localhost", True), (NAMED, "0.0.0.0", True),
    ],
)  # fmt: skip
def test_a_host_is_answered_when_it_is_one_of_its_own(hosts: Hosts, header: str, answered: bool) -> None:
    assert hosts.answer(header) is answered


@pytest.fixture(scope="module")
def web(told):
    hosts = hosts_of("127.0.0.1", "https://clew.example.org", ())
    with (
        serving(site(create_api(told), create_web(told), hosts)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/", "/orders/4711", "/static/none.css", "/api/v1/orders", "/no-such-page"])
def test_nothing_is_told_to_a_name_that_is_led_here(web, path):
    answer = web.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "Clew is not known as 'evil.example'" in answer.text
    assert "api.hosts" in answer.text
    assert "4711" not in answer.text


def test_the_api_refuses_in_its_own_form_and_changes_nothing(web):
    refused = web.post("/api/v1/imports", json={"name": "theirs"}, headers={"Host": "evil.example"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (421, "unknown_host")
    assert "theirs" not in web.get("/api/v1/imports", params={"all": True}).text


def test_the_host_of_the_public_address_is_answered(web):
    assert web.get("/orders/4711", headers={"Host": "clew.example.org"}).status_code == 200


def test_probes_answer_whoever_asks(web):
    assert web.get("/healthz", headers={"Host": "pod-7.cluster"}).status_code == 200
