"""What stage(), hold() and resume() tell the backend."""

import logging
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import clew_sdk
import pytest
from opentelemetry.sdk.trace import TracerProvider

from sdk.tests.backend import Backend, Event
from sdk.tests.fresh import Handles
from sdk.tests.spans import wait_for


@pytest.fixture
def told(handles: Handles, backend: Backend, outbox: Path):
    """The events told so far, in order, after the number of them has arrived."""
    handles.make(backend, outbox)

    def events(count: int = 1) -> list[Event]:
        wait_for(lambda: len(backend.events) >= count)
        return backend.events

    return events


def test_a_milestone_is_an_event_with_order_stage_and_time(told) -> None:
    with clew_sdk.order("4711"):
        assert clew_sdk.stage("SUBMITTED", at_ns=1_795_300_000_123_456_789) is True
    [event] = told()
    uid = event.attributes.pop("log.record.uid")
    assert event.name == "order.stage"
    assert event.attributes == {"order.id": "4711", "order.stage": "SUBMITTED", "order.outcome": "ok"}
    assert event.time_unix_nano == 1_795_300_000_123_456_789
    assert event.severity == 9
    assert event.resource["service.name"] == "shop"
    assert len(uid) == 36


def test_an_event_knows_the_span_it_was_told_in(told, provider: TracerProvider) -> None:
    with provider.get_tracer("shop").start_as_current_span("submit") as span, clew_sdk.order("4711"):
        clew_sdk.stage("SUBMITTED")
    [event] = told()
    context = span.get_span_context()
    assert (event.trace_id, event.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_everything_known_of_the_order_is_told_and_the_user_is_masked(told) -> None:
    with clew_sdk.order(
        "4711", path="b2c", user_id="user-20931", aliases={"crm_deal": "D77"}, flow="rings", actor="web"
    ):
        clew_sdk.stage("SUBMITTED", attributes={"cart.items": 3})
    [event] = told()
    assert {key: value for key, value in event.attributes.items() if key != "log.record.uid"} == {
        "order.id": "4711",
        "order.stage": "SUBMITTED",
        "order.outcome": "ok",
        "order.path": "b2c",
        "user.id": "…0931",
        "order.alias.crm_deal": "D77",
        "order.flow": "rings",
        "order.actor": "web",
        "cart.items": 3,
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("no 3D data", {"error.message": "no 3D data"}),
        (KeyError("mesh"), {"error.type": "KeyError", "error.message": "'mesh'"}),
    ],
)
def test_a_failed_stage_says_why(told, error, expected) -> None:
    clew_sdk.stage("PRICE_CALCULATED", order_id="4711", outcome="failed", error=error)
    [event] = told()
    assert event.attributes["order.outcome"] == "failed"
    assert {key: value for key, value in event.attributes.items() if key.startswith("error.")} == expected
    assert event.severity == 17


def test_an_error_type_can_be_named(told) -> None:
    clew_sdk.stage("PRICE_CALCULATED", order_id="1", outcome="failed", error="no 3D data", error_type="missing_3d_data")
    assert told()[0].attributes["error.type"] == "missing_3d_data"


def test_a_hold_begins_and_ends_without_a_stage(told) -> None:
    with clew_sdk.order("4711"):
        clew_sdk.hold("customer asked")
        clew_sdk.resume()
    holding, resumed = told(2)
    assert holding.attributes["order.hold"] is True
    assert holding.attributes["order.reason"] == "customer asked"
    assert "order.stage" not in holding.attributes
    assert "order.outcome" not in holding.attributes
    assert resumed.attributes["order.hold"] is False


@pytest.mark.parametrize(
    "due",
    [
        1_795_300_000_000_001_000,
        datetime(2026, 11, 21, 22, 26, 40, 1, tzinfo=UTC),
        datetime(2026, 11, 22, 0, 26, 40, 1, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_due_date_is_told_in_nanoseconds(told, due) -> None:
    clew_sdk.stage("SUBMITTED", order_id="4711", due_at=due)
    assert told()[0].attributes["order.due_at"] == 1_795_300_000_000_001_000


def test_several_orders_get_an_event_each_with_a_uid_of_its_own(told) -> None:
    with clew_sdk.order(order_ids=["4711", "4712"]):
        clew_sdk.stage("PACKAGING")
    events = told(2)
    assert [event.attributes["order.id"] for event in events] == ["4711", "4712"]
    assert len({event.attributes["log.record.uid"] for event in events}) == 2


def test_an_explicit_order_id_takes_nothing_of_the_surrounding_order(told) -> None:
    with clew_sdk.order("4711", path="b2c", aliases={"crm_deal": "D77"}):
        clew_sdk.stage("CLOSED", order_id="4712")
        clew_sdk.stage("CLOSED", order_id="4711")
    other, same = told(2)
    assert "order.path" not in other.attributes
    assert same.attributes["order.path"] == "b2c"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clew_sdk.stage("SUBMITTED"), "no order"),
        (lambda: clew_sdk.stage("SUBMITTED", order_id=""), "no order"),
        (lambda: clew_sdk.stage("", order_id="4711"), "name of a stage"),
        (lambda: clew_sdk.stage("SUBMITTED", order_id="4711", outcome="maybe"), "'ok' or 'failed'"),
        (lambda: clew_sdk.stage("SUBMITTED", order_id="4711", due_at=datetime(2026, 1, 1)), "time zone"),
        (lambda: clew_sdk.stage("A", order_id="4711", attributes={"order.id": "1"}), "must not contain order.id"),
        (lambda: clew_sdk.hold(), "no order"),
    ],
)
def test_a_mistake_in_the_call_is_named(told, call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_other_keys_can_be_masked_too(handles: Handles, backend: Backend, outbox: Path) -> None:
    handles.make(backend, outbox, mask=("order.alias.phone", "order.actor"))
    clew_sdk.stage("SUBMITTED", order_id="1", user_id="user-1", aliases={"phone": "+49 170 1234567"}, actor="Ivan I")
    wait_for(lambda: len(backend.events) == 1)
    said = backend.events[0].attributes
    assert (said["order.alias.phone"], said["order.actor"], said["user.id"]) == ("…4567", "…an I", "user-1")


def test_before_setup_nothing_is_recorded_and_one_line_says_so(monkeypatch, caplog) -> None:
    monkeypatch.setattr("clew_sdk.sdk._handle", None)
    monkeypatch.setattr("clew_sdk.facts._told_once", threading.Event())
    with caplog.at_level(logging.WARNING):
        assert [clew_sdk.stage("SUBMITTED", order_id="4711") for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1


def test_without_an_outbox_a_connection_is_needed(handles: Handles, backend: Backend) -> None:
    handles.make(backend, None)
    with pytest.raises(ValueError, match="connection"):
        clew_sdk.stage("SUBMITTED", order_id="4711")


def test_a_disabled_sdk_records_nothing(handles: Handles, backend: Backend, outbox: Path) -> None:
    handles.make(backend, outbox, env={"OTEL_SDK_DISABLED": "true"})
    assert clew_sdk.stage("SUBMITTED", order_id="4711") is False
    assert not outbox.exists()
