"""What verdicts other limits would have given over history, so that limits are chosen with open eyes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clew.learn.read import read_learned, terminals_of, until_of, ways
from clew.model.flow import ANY_PATH, Flow, Limit
from clew.report.dwell import last_import_ns
from clew.report.filter import ReportFilter
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Grace:
    """How soon after its limit an order must move on by itself for the alarm to have been a false one.

    A share of the limit and a length of time, added up. A tenth of the limit is what is taken when nobody chose: within
    it hardly anybody would have begun to act.
    """

    share: float = 0.1
    length_ns: int = 0


@dataclass(frozen=True, slots=True)
class StageReplay:
    """What a limit would have said of all visits to a stage that it counts for (``path``: ``*`` for any).

    Of ``visits``, ``stuck`` lasted longer than the limit; ``waiting`` of these are still there, ``passing`` moved on
    within the grace: false alarms. ``warned`` came past the warning only. ``moved_after_s`` is the median and the p90
    of how long after the limit those that moved on did; None when none did. ``days`` counts the beginnings of being
    stuck by UTC day; ``first_ns`` and ``last_ns`` are the first and the last (0: none).
    """

    stage: str
    path: str
    allowed_ns: int
    visits: int
    warned: int
    stuck: int
    waiting: int
    passing: int
    moved_after_s: tuple[float, float] | None
    first_ns: int
    last_ns: int
    days: Mapping[str, int]


def replay(
    store: Store, filter_: ReportFilter, now_ns: int, flow: Flow, grace: Grace | None = None
) -> tuple[StageReplay, ...]:
    """What the limits of a flow would have said of the orders that the filter picks, in the flow's order of stages.

    Orders go through the stages that this flow declares and end where it ends them, whatever judged them then. Holds
    stop the clock. One that waits has waited until now (until the end of the range when that is earlier), an imported
    one until the history ends.
    """
    grace = grace or Grace()
    terminals = terminals_of(flow)
    bind = ways([stage.name for stage in flow.stages], terminals, flow=flow) | _limits(flow)
    bind |= {"now": until_of(filter_, now_ns), "imported_until": last_import_ns(store, filter_.flow)}
    bind |= {"grace": grace.length_ns, "grace_share": grace.share}
    rows = {(row["stage"], row["limit_path"]): row for row in read_learned(store, "replay", filter_, bind)}
    return tuple(
        _stage(stage, path, limit, rows.get((stage, path), {})) for stage, path, limit in _limits_in_order(flow)
    )


def _limits_in_order(flow: Flow) -> Iterator[tuple[str, str, Limit]]:
    for stage in flow.stages:
        for path, limit in stage.limits.items():
            yield stage.name, path, limit


def _limits(flow: Flow) -> dict[str, object]:
    """The flow's limits as the query binds them: those of a path by stage and path, the others by stage."""
    found = list(_limits_in_order(flow))
    own = [(f"{stage}\n{path}", limit) for stage, path, limit in found if path != ANY_PATH]
    any_path = [(stage, limit) for stage, path, limit in found if path == ANY_PATH]
    bind: dict[str, object] = {}
    for name, limits in (("own", own), ("any", any_path)):
        # A table of values must have one at least; no stage has an empty name.
        limits = limits or [("", Limit(-1, -1))]
        bind[f"{name}_keys"] = [key for key, _ in limits]
        bind[f"{name}_limits"] = [limit.allowed_ns for _, limit in limits]
        bind[f"{name}_warnings"] = [limit.warn_ns for _, limit in limits]
    return bind


def _stage(stage: str, path: str, limit: Limit, row: Mapping[str, Any]) -> StageReplay:
    moved = row.get("moved_after")
    return StageReplay(
        stage,
        path,
        limit.allowed_ns,
        moved_after_s=(moved[0] / 1e9, moved[1] / 1e9) if moved else None,
        days=dict(sorted(row.get("days", {}).items())),
        **{name: int(row.get(name, 0)) for name in _NUMBERS},
    )


_NUMBERS = ("visits", "warned", "stuck", "waiting", "passing", "first_ns", "last_ns")
