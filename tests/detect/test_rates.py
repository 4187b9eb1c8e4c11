"""What findings of rates and silences say to people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clew.detect.rates import series_name, silence_findings, surge_finding
from clew.detect.silence import EVERYBODY, Activity, Silent
from clew.detect.surge import Surging
from clew.model.rule import SeriesKind, SourceKind, SpanCondition, Surge

MINUTE_NS = 60 * 10**9
MONDAY_1407 = 1_795_442_820 // 60
SURGING = Surging(MONDAY_1407, 5, 42, 3.04, 15, 4.3, MONDAY_1407 - 4, 4)

SENTENCES = [
    pytest.param(Surge(SeriesKind.CANCELLED), "b2c", SURGING, "series:cancelled/b2c", {"path": "b2c"},
        "42 cancellations on path b2c in 5 minutes, 3.0 expected at this hour (Mondays 14:00), since 14:03 UTC",
        id="cancelled"),
    pytest.param(Surge(SeriesKind.FAILED), "", replace(SURGING, value=1, window=15), "series:failed/", {},
        "1 failed attempt in 15 minutes, 3.0 expected at this hour (Mondays 14:00), since 14:03 UTC", id="failed"),
    pytest.param(Surge(SeriesKind.LOST), "shop", replace(SURGING, weeks=0), "series:lost/shop", {"service": "shop"},
        "42 lost messages of shop in 5 minutes, 3.0 expected by what came before, since 14:03 UTC", id="lost, new"),
    pytest.param(Surge(SeriesKind.STAGE, stage="RETURNED"), "b2b", replace(SURGING, expected=31.2),
        "series:stage/RETURNED/b2b", {"path": "b2b", "stage": "RETURNED"},
        "42 orders entering RETURNED on path b2b in 5 minutes, 31 expected at this hour (Mondays 14:00), "
        "since 14:03 UTC", id="a stage"),
    pytest.param(Surge(SeriesKind.SPANS, spans=SpanCondition(http_from=500, http_to=599)), "shop",
        replace(SURGING, since_minute=MONDAY_1407 - 24 * 60), "series:spans/HTTP 500-599/shop", {"service": "shop"},
        "42 spans (HTTP 500-599) of shop in 5 minutes, 3.0 expected at this hour (Mondays 14:00), "
        "since 2026-11-22 14:07 UTC", id="spans, since yesterday"),
]  # fmt: skip


@pytest.mark.parametrize(("surge", "name", "surging", "subject", "labels", "reason"), SENTENCES)
def test_a_surge_says_how_much_how_much_was_expected_and_since_when(surge, name, surging, subject, labels, reason):
    found = surge_finding("many", surge, name, surging)
    assert (found.rule, found.subject, found.labels, found.reason) == ("many", subject, labels, reason)
    assert (found.value, found.bound, found.since_ns) == (surging.value, 15, surging.since_minute * MINUTE_NS)


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        (SpanCondition(), "spans/all/shop"),
        (SpanCondition(errors_only=True, work=("server",)), "spans/errors; server/shop"),
        (SpanCondition(longer_than_ns=10**9, operations=("GET *",)), "spans/longer than 1000 ms; GET */shop"),
        (SpanCondition(longer_than_ns=1_000_000), "spans/longer than 1 ms/shop"),
        (SpanCondition(longer_than_ns=1_900_000), "spans/longer than 1.9 ms/shop"),
        (SpanCondition(longer_than_ns=10_050_001), "spans/longer than 10.050001 ms/shop"),
        (SpanCondition(where={"b": "1", "a": ""}, http_from=400), "spans/HTTP 400-; a, b=1/shop"),
    ],
)
def test_series_of_different_conditions_have_different_names(condition, name):
    assert series_name(Surge(SeriesKind.SPANS, spans=condition), "shop") == name


def test_silent_services_and_senders_are_named_and_all_of_them_are_one():
    silent = Silent(last_ns=7 * MINUTE_NS, minutes=20, missed=17.6, bound=4.5)
    sources = {"shop": Activity((1,), 1), "mes/b": Activity((1,), 1, "mes")}

    def told(source, name, each=silent):
        (found,) = silence_findings("quiet", source, {name: each}, sources, known=12)
        assert (found.since_ns, found.value, found.bound) == (7 * MINUTE_NS, 17.6, 4.5)
        return found.subject, found.labels, found.reason

    assert told(SourceKind.SERVICE, "shop") == (
        "service:shop", {"service": "shop"},
        "shop sent no telemetry for 20 min; it is usually active in 18 of such minutes",
    )  # fmt: skip
    assert told(SourceKind.SENDER, "mes/b", replace(silent, minutes=200)) == (
        "sender:mes/b", {"service": "mes"},
        "sender mes/b of mes sent no telemetry for 3 h 20 min; it is usually active in 18 of such minutes",
    )  # fmt: skip
    assert told(SourceKind.SERVICE, EVERYBODY, replace(silent, minutes=3 * 24 * 60)) == (
        "service:*", {},
        "none of 12 services sent telemetry for 3 days: the collector or the way to Clew needs a look",
    )  # fmt: skip
