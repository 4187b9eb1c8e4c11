"""What a flow declares, as far as reports need it: which steps deviate, and which stages a path passes."""

from __future__ import annotations

from collections.abc import Iterable

from clew.model.flow import Flow, Terminal
from clew.model.journey import DeviationKind


def deviation_of_edge(flow: Flow, before: str, after: str) -> tuple[str, bool]:
    """How a step from one stage to another leaves the flow (empty: not at all), and whether the flow accepts that.

    An edge has no history, so "repeated" means that the flow itself leads from ``after`` to ``before``: an order that
    takes the edge goes back. The judgement of each single order is that of clew.journey.deviations.
    """
    unknown = [stage for stage in (before, after) if flow.stage(stage) is None]
    if unknown:
        return DeviationKind.UNKNOWN_STAGE.value, all(_accepts(flow, "unknown_stage", stage) for stage in unknown)
    if after in _next(flow, before):
        return "", False
    if before == after or before in _reach(flow, after):
        return DeviationKind.REPEATED.value, _accepts(flow, "repeated", after)
    way = shortest_way(flow, before, after)
    if way:
        return DeviationKind.SKIPPED.value, all(_accepts(flow, "skipped", stage) for stage in way[1:-1])
    return DeviationKind.OUT_OF_SEQUENCE.value, _accepts(flow, "out_of_sequence", f"{before}>{after}")


def steps_of_path(flow: Flow, path: str) -> tuple[str, ...]:
    """The stages of a path in the flow's own order, from its entries on; those of cancelled orders left out.

    A path that the flow doesn't name has all stages.
    """
    entries = flow.paths.get(path, ())
    reached = set(entries) | {stage for entry in entries for stage in _reach(flow, entry)}
    return tuple(
        stage.name
        for stage in flow.stages
        if stage.terminal is not Terminal.CANCELLED and (not entries or stage.name in reached)
    )


def optional_steps(flow: Flow, path: str) -> dict[str, tuple[str, ...]]:
    """The stages of a path that the flow itself leads around on the way to a good end, each with those after it."""
    entries = flow.paths.get(path) or tuple(entry for each in flow.paths.values() for entry in each)
    steps = steps_of_path(flow, path)
    good = {stage.name for stage in flow.stages if stage.terminal is Terminal.CLOSED}
    return {
        stage: tuple(after for after in steps[place + 1 :] if after in _reach(flow, stage))
        for place, stage in enumerate(steps)
        if stage not in good and any(good & _reach(flow, entry, stage) for entry in entries if entry != stage)
    }


def in_flow_order(flow: Flow | None, stages: Iterable[str]) -> list[str]:
    """Stages in the flow's order; those that it doesn't declare last, as they came."""
    place = {stage.name: index for index, stage in enumerate(flow.stages)} if flow else {}
    return sorted(stages, key=lambda stage: place.get(stage, len(place)))


def shortest_way(flow: Flow, start: str, goal: str) -> tuple[str, ...]:
    """The stages on a shortest declared way, both ends included; empty when none leads there."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    for way in ways:
        for after in _next(flow, way[-1]):
            if after == goal:
                return (*way, after)
            if after not in seen:
                seen.add(after)
                ways.append((*way, after))
    return ()


def _accepts(flow: Flow, kind: str, what: str) -> bool:
    return f"{kind}:{what}" in flow.accepted


def _next(flow: Flow, stage: str) -> tuple[str, ...]:
    declared = flow.stage(stage)
    return declared.next if declared else ()


def _reach(flow: Flow, start: str, without: str = "") -> set[str]:
    """All stages that can follow this one, directly or not; ``without`` passing one of them."""
    queue = [after for after in _next(flow, start) if after != without]
    seen = set(queue)
    for here in queue:
        for after in _next(flow, here):
            if after not in seen and after != without:
                seen.add(after)
                queue.append(after)
    return seen
