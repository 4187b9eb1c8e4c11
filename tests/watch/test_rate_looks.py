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
    """A service with a past outage falls silent again; another one fails in one minute, and later by the hundred, while
    a third one is new; a lax and a strict rule look at what fails."""
    begin, day = NOW - 34 * HOUR, 24 * HOUR
    outage = range(begin + day + HOUR, begin + day + 3 * HOUR)
    heard = [each for each in range(begin, NOW - 20) if each not in outage]
    failing = {
        "mes": heard[::2],
        "shop-api": sorted([*range(begin, NOW, 2), *[NOW - 40] * 32, *(NOW - 10 + n % 5 for n in range(200))]),
        "crm": list(range(NOW - 12, NOW)),
    }
    fine = {"mes": heard, "shop-api": list(range(begin, NOW))}
    ingest(
        store, NOW * MINUTE_NS,
        *(spans_of(each, 5_000 * number, minutes) for number, (each, minutes) in enumerate(fine.items(), 1)),
        *(spans_of(each, 5_000 * number, minutes, status="error") for number, (each, minutes) in enumerate(failing.items(), 3)),
    )  # fmt: skip
    roll_up(store, begin * MINUTE_NS, (begin + 1) * MINUTE_NS)
    told = [
        SpanTold(each, "work", "server", minute * MINUTE_NS, error=error)
        for error, by_service in (("", fine), ("E", failing))
        for each, minutes in by_service.items()
        for minute in minutes
    ]
    silent, spans = Rule("silent", Silence()), SpanCondition(errors_only=True)
    errors = [Rule(f"x{times}", Surge(SeriesKind.SPANS, spans=spans, times=times)) for times in (2.0, 10.0)]
    for rules, every, first in (([silent], SILENCE_EVERY, outage.start), (errors, 1, NOW - 45)):
        live, minutes = looks_of(store, flagged), range(first, NOW, every)
        watched = [[said(live.look(rule, at(minute))) for rule in rules] for minute in minutes]
        replayed = found_silent if rules == [silent] else found_surging
        past = [replayed(store, rule, rule.shape, first * MINUTE_NS, NOW * MINUTE_NS, {}) for rule in rules]
        assert [[said(found) for _, found in each] for each in zip(*past, strict=True)] == watched
        world = World((Told(each, each.end_ns) for each in told), default_flow(), every * MINUTE_NS)
        for minute, expected in zip(minutes, watched, strict=True):
            world.move((minute + 1) * MINUTE_NS)
            found = [[each.subject for each in world.findings(rule)] for rule in rules]
            assert found == [[subject for subject, _ in each] for each in expected], minute
        for each in zip(*watched, strict=True):
            assert [bool(found) for found in each].count(True) > 3
            # The outage that was told makes nobody patient: the next silence is found as soon as the first.
            assert each[-1]
    # What failed in one minute is told by the lax rule alone, and however many services are new later.
    assert [bool(found) for found in watched[NOW - 40 - first]] == [True, False]


def said(findings):
    return [(each.subject, each.since_ns // MINUTE_NS) for each in findings]
