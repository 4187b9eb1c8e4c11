"""Surges and silence over a real store: what is flagged, and what Clew's own absence does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clew.control.database import open_database
from clew.control.flagged import FlaggedWindows
from clew.flow import default_flow
from clew.model.flow import Terminal
from clew.model.journey import Journey, Milestone, Visit
from clew.model.rule import Rule, SeriesKind, Silence, SpanCondition, Surge
from clew.rehearse.past_rates import SILENCE_EVERY, found_silent, found_surging
from clew.rehearse.told import SpanTold, Told
from clew.rehearse.world import World
from clew.store.codec import journey_to_json
from clew.store.contract import Store
from clew.store.embedded import open_store
from clew.store.minutes import roll_up
from clew.store.orders import OrderRow, encode_order, write_encoded
from clew.watch.awake import Awake
from clew.watch.rate_looks import RateLooks
from tests.builders import ingest, span, traces

HOUR = 60
MINUTE_NS = 60 * 10**9
NOW = 1_795_000_000 // 60  # a whole minute in 2026
FAILING = SpanCondition(services=("shop-api",), errors_only=True)


def spans_of(service, first, at_minutes, **more):
    return traces(
        service,
        *(span(first + n, 1, minute * MINUTE_NS + n, kind="server", **more) for n, minute in enumerate(at_minutes)),
    )


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    store = open_store(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def flagged(tmp_path) -> Iterator[FlaggedWindows]:
    database = open_database(tmp_path)
    yield FlaggedWindows(database)
    database.close()


def looks_of(store, flagged, minute=NOW):
    """As they are when Clew starts in that minute."""
    awake = Awake(store)
    awake.stay(at(minute), at(minute))
    return RateLooks(store, flagged, awake)


def at(minute):
    """A moment at which that minute is the last whole one of which everything has come."""
    return (minute + 1) * MINUTE_NS + 15 * 10**9


def test_a_surge_is_found_and_its_window_is_kept_for_the_next_start(store, flagged):
    quiet = [NOW - 3 * HOUR + n for n in range(0, 3 * HOUR, 4)]
    storm = [NOW - n % 4 for n in range(40)]
    ingest(store, NOW * MINUTE_NS, spans_of("shop-api", 1, sorted(quiet + storm), status="error"))
    rule = Rule("errors", Surge(SeriesKind.SPANS, spans=FAILING))
    (found,) = looks_of(store, flagged).look(rule, at(NOW))
    assert found.labels == {"service": "shop-api"}
    assert found.value >= 40
    ((series, ((begin, until),)),) = flagged.read(0).items()
    assert series.endswith("shop-api")
    assert begin <= (NOW - 3) * MINUTE_NS < until
    # After a restart the surge goes on as the same one.
    (again,) = looks_of(store, flagged).look(rule, at(NOW + 1))
    assert again.since_ns == found.since_ns


@pytest.mark.parametrize("kind", [SeriesKind.CANCELLED, SeriesKind.STAGE])
@pytest.mark.parametrize(("imported", "found"), [(True, []), (False, ["b2c"])], ids=["imported", "watched"])
def test_an_import_of_recent_orders_is_no_surge_whatever_its_dates(store, flagged, kind, imported, found):
    for number in range(60):
        ended_ns = (NOW - number % 5) * MINUTE_NS
        visits = (Visit("ORDERED", ended_ns - HOUR * MINUTE_NS), Visit("CANCELLED", ended_ns))
        journey = Journey(
            f"A-{number}", "shop", 1, "b2c", tuple(Milestone(each.stage, each.at_ns) for each in visits), visits=visits,
            terminal=Terminal.CANCELLED, first_ns=visits[0].at_ns, last_ns=ended_ns, facts=2, imported=imported,
        )  # fmt: skip
        write_encoded(store, [encode_order(OrderRow(journey, journey_to_json(journey), 1, ()))], [])
    old = Journey("old", "shop", 1, "b2c", (), first_ns=(NOW - 10 * 24 * HOUR) * MINUTE_NS, facts=1)
    write_encoded(store, [encode_order(OrderRow(old, journey_to_json(old), 1, ()))], [])
    rule = Rule("surge", Surge(kind, stage="CANCELLED"))
    assert [each.labels["path"] for each in looks_of(store, flagged).look(rule, at(NOW))] == found


def test_a_service_that_falls_silent_is_told_but_not_when_clew_was_away(store, flagged):
    day = 24 * HOUR
    heard = list(range(NOW - 2 * day, NOW - 30))
    ingest(
        store, NOW * MINUTE_NS, spans_of("mes", 1, heard), spans_of("shop-api", 5_000, range(NOW - 2 * day, NOW + 1))
    )
    rule = Rule("silent", Silence())
    looks = looks_of(store, flagged)
    (found,) = looks.look(rule, at(NOW))
    assert found.subject == "service:mes"
    # It goes on being told as the same silence.
    (still,) = looks.look(rule, at(NOW + 1))
    assert still.since_ns == found.since_ns
    assert "sent no telemetry for 31 min" in found.reason
    # Nobody was heard for an hour in which Clew was down: that is no silence of everybody, nor of each.
    later = looks_of(store, flagged, NOW + HOUR)
    assert [each.subject for each in later.look(rule, at(NOW + HOUR))] == ["service:mes"]


def test_the_past_and_a_written_case_tell_what_watching_told(store, flagged):
    """A service with a past outage falls silent again, while another one fails by the hundred."""
    begin, day = NOW - 34 * HOUR, 24 * HOUR
    outage = range(begin + day + HOUR, begin + day + 3 * HOUR)
    heard = [each for each in range(begin, NOW - 20) if each not in outage]
    failing = sorted([*range(begin, NOW, 5), *(NOW - 10 + n % 5 for n in range(200))])
    ingest(
        store, NOW * MINUTE_NS, spans_of("mes", 1, heard), spans_of("shop-api", 5_000, range(begin, NOW)),
        spans_of("shop-api", 10_000, failing, status="error"),
    )  # fmt: skip
    roll_up(store, begin * MINUTE_NS, (begin + 1) * MINUTE_NS)
    told = [
        *(SpanTold("mes", "work", "server", minute * MINUTE_NS) for minute in heard),
        *(SpanTold("shop-api", "work", "server", minute * MINUTE_NS) for minute in range(begin, NOW)),
        *(SpanTold("shop-api", "work", "server", minute * MINUTE_NS, error="E") for minute in failing),
    ]
    silent, errors = Rule("silent", Silence()), Rule("errors", Surge(SeriesKind.SPANS, spans=FAILING))
    for rule, every, first in ((silent, SILENCE_EVERY, outage.start), (errors, 1, NOW - 30)):
        minutes = range(first, NOW, every)
        live = looks_of(store, flagged)
        watched = [
            [(each.subject, each.since_ns // MINUTE_NS) for each in live.look(rule, at(minute))] for minute in minutes
        ]
        replayed = found_silent if rule is silent else found_surging
        past = replayed(store, rule, rule.shape, first * MINUTE_NS, NOW * MINUTE_NS, {})
        assert [[(each.subject, each.since_ns // MINUTE_NS) for each in found] for _, found in past] == watched
        world = World((Told(each, each.end_ns) for each in told), default_flow(), every * MINUTE_NS)
        for minute, expected in zip(minutes, watched, strict=True):
            world.move((minute + 1) * MINUTE_NS)
            assert [each.subject for each in world.findings(rule)] == [subject for subject, _ in expected], minute
        assert [bool(found) for found in watched].count(True) > 3
        # The outage that was told makes nobody patient: the next silence is found as soon as the first.
        assert watched[-1]
