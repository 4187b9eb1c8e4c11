"""The traffic of the benchmarks is what it claims to be: valid, unique, and shaped like a shop's."""

import time
from collections import Counter

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.figures import Figure, Part, as_markdown, percentile, read_parts, shown, write_parts
from bench.holes import Ids, templates
from bench.shop import STAGES, make_round

ROUND = make_round(seed=3, requests=6)
TEMPLATES = templates(ROUND)


def sent(number: int, lag: int = 1):
    """The spans of one round, with their service, filled for that number."""
    chance = np.random.default_rng(number)
    ids = Ids.new(ROUND, number, chance, first_order=1000, lag=lag)
    begin_ns = time.time_ns()
    for template in TEMPLATES:
        request = ExportTraceServiceRequest.FromString(template.fill(ids, begin_ns, chance))
        for resource in request.resource_spans:
            yield from resource.scope_spans[0].spans


def order_of(span):
    return next((each.value.string_value for each in span.attributes if each.key == "order.id"), "")


def test_no_id_is_ever_sent_twice():
    spans = [*sent(0), *sent(1)]
    assert len({span.span_id for span in spans}) == len(spans) == 2 * ROUND.spans
    assert len({span.trace_id for span in spans}) == 2 * ROUND.traces


def test_traces_hang_together_and_lie_in_the_present():
    spans = list(sent(4))
    trace_of = {span.span_id: span.trace_id for span in spans}
    assert all(trace_of[span.parent_span_id] == span.trace_id for span in spans if span.parent_span_id)
    assert sum(not span.parent_span_id for span in spans) == ROUND.traces
    now_ns = time.time_ns()
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano < now_ns + 10**9 for span in spans)
    assert min(span.start_time_unix_nano for span in spans) > now_ns - 60 * 10**9


def test_it_looks_like_a_shop():
    spans = list(sent(0))
    kinds = Counter(span.kind for span in spans)
    assert {template.spans for template in TEMPLATES[:-1]} == {512}
    assert 12 < len(spans) / ROUND.traces < 18
    assert 9.5 < sum(len(span.attributes) for span in spans) / len(spans) < 11.5
    assert 0.01 < (kinds[4] + kinds[5]) / len(spans) < 0.08
    assert 0.1 < sum(bool(order_of(span)) for span in spans) / len(spans) < 0.3


def test_an_order_takes_its_steps_one_round_after_the_other():
    begun = next(order_of(span) for span in sent(10) if any(event.name == "order.stage" for event in span.events))
    told = [
        next(each.value.string_value for each in event.attributes if each.key == "order.stage")
        for number in range(10, 10 + len(STAGES))
        for span in sent(number)
        for event in span.events
        if event.name == "order.stage" and order_of(span) == begun
    ]
    assert told == list(STAGES[STAGES.index(told[0]) :])


@pytest.mark.parametrize(
    ("figure", "target", "verdict"),
    [
        (Figure("spans", 80_000, "spans", at_least=75_000), "≥ 75 000", "reached"),
        (Figure("spans", 74_999, "spans", at_least=75_000), "≥ 75 000", "not reached"),
        (Figure("missing", 0, "spans", at_most=0), "≤ 0", "reached"),
        (Figure("missing", 1, "spans", at_most=0), "≤ 0", "not reached"),
        (Figure("memory", 700, "MB"), "", ""),
    ],
)
def test_a_figure_says_whether_its_target_is_reached(figure, target, verdict):
    assert (figure.target, figure.verdict) == (target, verdict)


def test_numbers_are_shown_as_people_read_them():
    assert [shown(each) for each in (81234.4, 12.44, 0.345, 3.0, -615.2)] == ["81 234", "12.4", "0.34", "3", "-615"]
    assert [percentile(range(100), rank) for rank in (0, 50, 95, 100)] == [0, 50, 95, 99]
    assert percentile([], 50) == 0


def test_what_was_measured_is_read_back_and_shown(tmp_path):
    part = Part("disk", "2026-01-01", "disk --spans 5", (Figure("a span", 40.0, "B", at_most=48),))
    write_parts(tmp_path / "results" / "latest.json", [part])
    assert read_parts(tmp_path / "results" / "latest.json") == {"disk": part}
    assert read_parts(tmp_path / "nothing.json") == {}
    assert "| a span | 40 B | ≤ 48 | reached |" in as_markdown([part])
