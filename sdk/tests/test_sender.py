"""The background sender against a real receiver that misbehaves."""

import logging
import sqlite3
from pathlib import Path

import clew_sdk
import pytest

from sdk.tests.backend import OK, Backend, Reply, events_of, partial
from sdk.tests.fresh import Handles
from sdk.tests.spans import wait_for
from sdk.tests.test_outbox import rows_in

# A certificate for 127.0.0.1 with its key, which everybody knows: good for tests only.
LOOPBACK = Path(__file__).with_name("data") / "loopback.pem"


def tell(count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        assert clew_sdk.stage("SUBMITTED", order_id=str(number))


def told_once(backend: Backend, count: int) -> None:
    """All the orders arrive, each once."""
    wait_for(lambda: len(backend.stages) == count)
    assert set(backend.stages.values()) == {1}
    assert len(backend.events) == count


def test_events_of_a_moment_share_a_request_and_keep_their_order(handles, backend: Backend, outbox: Path) -> None:
    handles.make(backend, outbox)
    tell(40)
    told_once(backend, 40)
    assert len(backend.requests) < 10
    assert [event.attributes["order.id"] for event in backend.events] == [str(number) for number in range(40)]
    wait_for(lambda: rows_in(outbox) == [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503),
        Reply(429, {"Retry-After": "0"}),
        Reply(500),
        Reply(401),
        Reply(404),
        Reply(301, {"Location": "/elsewhere"}),
        Reply(200, body=b"<html>hello</html>"),
    ],
    ids=lambda reply: str(reply.status),
)
def test_events_wait_out_a_backend_in_trouble(handles, backend: Backend, outbox: Path, reply: Reply) -> None:
    backend.script.append(reply)
    handles.make(backend, outbox)
    tell(1)
    told_once(backend, 1)
    assert len(backend.times) == 2


def test_events_wait_out_a_backend_that_is_down(handles: Handles, backend: Backend, outbox: Path, caplog) -> None:
    backend.down()
    with caplog.at_level(logging.WARNING, "clew_sdk.sender"):
        handles.make(backend, outbox)
        tell(5)
        wait_for(lambda: len(caplog.records) == 1)
        backend.up()
        told_once(backend, 5)
        wait_for(lambda: len(caplog.records) == 2)
    assert "wait in the outbox" in caplog.records[0].getMessage()
    assert "being sent again" in caplog.records[1].getMessage()


def test_the_servers_word_on_when_to_come_back_is_kept(handles: Handles, backend: Backend, outbox: Path) -> None:
    backend.script.append(Reply(429, {"Retry-After": "1"}))
    handles.make(backend, outbox)
    tell(1)
    told_once(backend, 1)
    assert backend.times[1] - backend.times[0] >= 1.0


def test_a_lost_answer_sends_the_same_uids_again(handles: Handles, backend: Backend, outbox: Path) -> None:
    backend.script.append(Reply(503, {"Retry-After": "0"}, store=True))
    handles.make(backend, outbox)
    tell(3)
    wait_for(lambda: rows_in(outbox) == [])
    assert len(backend.events) > 3
    assert set(backend.stages.values()) == {1}
    assert len(backend.stages) == 3


@pytest.mark.parametrize("status", [400, 413])
def test_one_bad_event_is_set_aside_and_takes_no_neighbour_along(
    handles: Handles, backend: Backend, outbox: Path, status: int, caplog
) -> None:
    backend.decide = lambda request: (
        Reply(status, body=b"order 7 is odd")
        if any(event.attributes["order.id"] == "7" for event in events_of(request))
        else OK
    )
    handles.make(backend, outbox)
    tell(20)
    wait_for(lambda: rows_in(outbox) == [])
    assert {order for order, _ in backend.stages} == {str(number) for number in range(20) if number != 7}
    assert len(backend.events) == 19
    connection = sqlite3.connect(outbox)
    [reason] = connection.execute("SELECT reason FROM clew_rejected").fetchone()
    connection.close()
    assert reason == f"{status}: order 7 is odd"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_partial_success_is_set_aside_and_told(handles: Handles, backend: Backend, outbox: Path, caplog) -> None:
    backend.script.append(partial(1, "no order"))
    handles.make(backend, outbox)
    tell(1)
    wait_for(lambda: len(rows_in(outbox, "clew_rejected")) == 1)
    assert "no order" in caplog.text


def test_large_events_are_spread_over_several_requests(handles: Handles, backend: Backend, outbox: Path) -> None:
    backend.down()
    handles.make(backend, outbox)
    for number in range(6):
        clew_sdk.stage("SUBMITTED", order_id=str(number), attributes={"note": "x" * 1_500_000})
    clew_sdk.stage("SUBMITTED", order_id="6", attributes={"note": "x" * 5_000_000})
    backend.up()
    told_once(backend, 7)
    assert [len(events_of(request)) for request in backend.requests] == [2, 2, 2, 1]


def test_headers_and_compression_are_those_of_the_settings(handles: Handles, backend: Backend, outbox: Path) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=gold,authorization=Bearer%20abc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    handles.make(backend, outbox, env=env, headers={"x-api-key": "k1"})
    tell(1)
    told_once(backend, 1)
    [headers] = backend.headers
    assert headers["content-encoding"] == "gzip"
    assert (headers["x-tenant"], headers["authorization"], headers["x-api-key"]) == ("gold", "Bearer abc", "k1")
    assert headers["content-type"] == "application/x-protobuf"


def test_shutdown_sends_what_is_left_and_says_whether_it_could(handles, backend: Backend, outbox: Path) -> None:
    first = handles.make(backend, outbox)
    tell(3)
    assert first.shutdown(5.0) is True
    told_once(backend, 3)

    backend.down()
    second = handles.make(backend, outbox)
    tell(2, first=3)
    assert second.shutdown(0.5) is False
    assert second.shutdown(0.5) is True

    backend.up()
    handles.make(backend, outbox)
    told_once(backend, 5)


def test_two_services_on_one_outbox_lose_and_double_nothing(handles: Handles, backend: Backend, outbox: Path) -> None:
    handles.make(backend, outbox)
    tell(10)
    handles.make(backend, outbox)
    tell(10, first=10)
    told_once(backend, 20)


def test_a_backend_behind_tls_is_believed_by_its_certificate_only(
    handles: Handles, backend: Backend, outbox: Path
) -> None:
    backend.down()
    backend.up(LOOPBACK)
    url = backend.url.replace("http:", "https:")

    stranger = handles.make(backend, outbox, endpoint=url)
    tell(1)
    assert stranger.shutdown(1.0) is False
    assert backend.events == []

    handles.make(backend, outbox, endpoint=url, env={"OTEL_EXPORTER_OTLP_CERTIFICATE": str(LOOPBACK)})
    told_once(backend, 1)
