"""Channels call public addresses, and private ones only where they are allowed; secrets are never shown."""

import logging
import socket
import ssl
import threading
import time
import traceback

import pytest

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.secret import Secret
from clew.notify.channels.addresses import Reach, why_refused
from clew.notify.channels.http import LARGEST_ANSWER, Answer, Call, Http, check, retry_after
from tests.fakes.server import FakeServer, Reply, running

ALLOWED = Reach(hosts=frozenset({"hook.internal"}))
EVERYWHERE = Reach(everywhere=True)


@pytest.mark.parametrize(
    ("address", "public", "private_too"),
    [
        ("8.8.8.8", True, True),
        ("2606:4700:4700::1111", True, True),
        ("127.0.0.1", False, True),
        ("127.8.9.1", False, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fd12::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:8.8.8.8", True, True),
        ("2002:7f00:1::", False, True),
        ("64:ff9b::a00:1", False, True),
        ("64:ff9b::808:808", True, True),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("100.100.100.200", False, False),
        ("fd00:ec2::254", False, False),
        ("168.63.129.16", False, False),
        ("192.0.0.192", False, False),
        ("::ffff:192.0.0.192", False, False),
        ("64:ff9b::c000:c0", False, False),
        ("192.0.0.1", False, True),
        ("64:ff9b:1::7f00:1", False, False),
        ("64:ff9b:1:a9fe:a9:fe00::", False, False),
        ("::7f00:1", False, False),
        ("::808:808", False, False),
        ("fec0::1", False, True),
        ("4000::1", False, True),
        ("2001:db8::1", False, True),
    ],
)
def test_addresses_are_refused_unless_they_are_public_or_allowed(address, public, private_too):
    assert (why_refused(address, "hook.internal", Reach()) == "") is public
    assert (why_refused(address, "hook.internal", ALLOWED) == "") is private_too
    assert (why_refused(address, "other.internal", ALLOWED) == "") is public
    assert (why_refused(address, "any", EVERYWHERE) == "") is private_too


class Echo(FakeServer):
    def answer(self, request):
        return Reply(200, b"hello")


@pytest.fixture
def echo():
    with running(Echo) as fake:
        yield fake


def call(url: str, **headers: str) -> Call:
    return Call("POST", Secret(url), b"{}", headers)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "localhost", "[::1]"]
)
def test_no_way_of_writing_this_machine_gets_through(echo, host):
    with pytest.raises((ChannelBusy, ChannelRefused)):
        Http(timeout_s=2).call(call(f"http://{host}:{echo.port}/"))
    assert echo.requests == []


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]]
)
def test_a_name_that_leads_inside_is_not_called(echo, found):
    http = Http(timeout_s=2, resolve=lambda host, port: found)
    with pytest.raises(ChannelBusy, match=r"inside\.example\.org leads to"):
        http.call(call(f"http://inside.example.org:{echo.port}/"))
    assert echo.requests == []


def test_the_address_that_was_checked_is_the_one_that_is_called(echo):
    asked = []

    def once(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    http = Http(Reach(hosts=frozenset({"hook.internal"})), timeout_s=5, resolve=once)
    assert http.call(call(f"http://hook.internal:{echo.port}/a")).body == b"hello"
    assert asked == ["hook.internal"]
    assert echo.requests[0].headers["host"] == f"hook.internal:{echo.port}"


def test_an_address_that_does_not_answer_is_followed_by_the_next_one(echo):
    http = Http(EVERYWHERE, timeout_s=5, resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
    assert http.call(call(f"http://two.internal:{echo.port}/")).status == 200


def test_redirects_are_not_followed(echo):
    echo.always = Reply(302, b"", {"location": f"{echo.url}/elsewhere"})
    made = call(echo.url)
    answer = Http(EVERYWHERE, timeout_s=60).call(made)
    assert len(echo.requests) == 1
    with pytest.raises(ChannelRefused, match="redirect"):
        check(answer, made, "mend")


def test_proxies_of_the_environment_are_not_used(echo, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert Http(EVERYWHERE, timeout_s=60).call(call(echo.url)).status == 200


def test_a_proxy_that_the_channel_names_is_asked_for_the_name(echo):
    http = Http(timeout_s=60).reaching(Reach(), proxy=echo.url)
    assert http.call(call("http://hook.example.org/path")).body == b"hello"
    assert echo.requests[0].path == "http://hook.example.org/path"
    with pytest.raises(ChannelRefused):
        http.call(call("http://169.254.169.254/latest"))


def test_certificates_are_those_of_the_name_though_an_address_is_called(certificate, echo):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    echo.encrypt(context)
    http = Http(EVERYWHERE, timeout_s=60, resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(ChannelBusy, match="certificate"):
        http.call(call(f"https://localhost:{echo.port}/"))
    http.trusted.load_verify_locations(certificate[0])
    assert http.call(call(f"https://localhost:{echo.port}/")).body == b"hello"
    with pytest.raises(ChannelBusy, match="certificate"):
        http.call(call(f"https://other.example.org:{echo.port}/"))
    assert len(echo.requests) == 1


def test_large_answers_are_cut(echo):
    echo.always = Reply(200, b"x" * (LARGEST_ANSWER * 4))
    assert len(Http(EVERYWHERE, timeout_s=60).call(call(echo.url)).body) == LARGEST_ANSWER


@pytest.mark.parametrize("fault", [Reply(slow_s=30), Reply(gone=True)], ids=["slow", "gone"])
def test_a_vendor_that_is_slow_or_gone_is_busy(echo, fault):
    echo.always = fault
    with pytest.raises(ChannelBusy):
        Http(EVERYWHERE, timeout_s=0.3).call(call(echo.url))


def test_a_vendor_that_drips_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as listener, _dripping(listener):
        began = time.monotonic()
        port = listener.getsockname()[1]
        with pytest.raises(ChannelBusy):
            Http(EVERYWHERE, timeout_s=1).call(call(f"http://127.0.0.1:{port}/"))
        assert time.monotonic() - began < 60


class _dripping:
    """Sends a header, a byte now and then, without end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener, self._done = listener, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not self._done.wait(0.1):
                try:
                    peer.sendall(b"y")
                except OSError:
                    return


def test_a_port_that_nothing_listens_on_is_busy():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ChannelBusy, match="can't be reached"):
        Http(EVERYWHERE, timeout_s=2).call(call(f"http://127.0.0.1:{port}/"))


def test_an_address_that_is_none_is_refused_without_showing_it():
    with pytest.raises(ChannelRefused) as caught:
        Http().call(call("https://example.org:hush/"))
    assert "hush" not in str(caught.value)


def test_a_name_that_nobody_knows_is_busy():
    def unknown(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(ChannelBusy, match="can't be resolved"):
        Http(resolve=unknown).call(call("http://nowhere.example.org/"))


@pytest.mark.parametrize(
    ("status", "raised"),
    [(200, None), (202, None), (204, None), (408, ChannelBusy), (429, ChannelBusy), (500, ChannelBusy), (503, ChannelBusy),
     (301, ChannelRefused), (400, ChannelRefused), (401, ChannelRefused), (403, ChannelRefused), (404, ChannelRefused),
     (410, ChannelRefused), (422, ChannelRefused)],
)  # fmt: skip
def test_passing_and_permanent_failures_are_told_apart(status, raised):
    made = Call("POST", Secret("https://hooks.example.org/services/hush"), secrets=(Secret("tok-hush"),))
    answer = Answer(status, {"retry-after": "9"}, b"bad tok-hush at https://hooks.example.org/services/hush")
    if raised is None:
        assert check(answer, made, "mend it") is answer
        return
    with pytest.raises(raised) as caught:
        check(answer, made, "mend it")
    assert "hooks.example.org answers" in str(caught.value)
    assert "hush" not in str(caught.value)
    if raised is ChannelBusy:
        assert caught.value.retry_after_s == 9
    elif status >= 400:
        assert "mend it" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0.5", 0.5), ("", None), ("soon", None), ("99999999", 3600), ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
     ("Sun, 22 Nov 2026 11:00:00 GMT", 0)],
)  # fmt: skip
def test_how_long_a_vendor_asks_to_wait(text, seconds):
    assert retry_after({"retry-after": text}, now_s=1_795_348_800) == seconds


@pytest.mark.parametrize("secret", ["hush\nhush", "hush\x00", "hüsh-hush"])
def test_a_header_that_cannot_be_sent_is_refused_without_showing_it(echo, secret):
    with pytest.raises(ChannelRefused, match="in ASCII") as caught:
        Http(EVERYWHERE, timeout_s=60).call(call(echo.url, authorization=f"Bearer {secret}"))
    assert "sh" not in "".join(traceback.format_exception(caught.value)).partition("Error: ")[2]


def test_what_is_called_is_not_logged(echo, caplog):
    with caplog.at_level(logging.DEBUG):
        Http(EVERYWHERE, timeout_s=60).call(call(f"{echo.url}/hush", authorization="Bearer hush"))
    assert "hush" not in caplog.text
