"""Why a report tells little: a line for people below it. What programs read stays as it is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType

from clew.cli.client import Client, Params
from clew.cli.screen import counted, text


def hints_of(client: Client, name: str, answer: dict[str, Any], params: Params) -> list[str]:
    """Lines that say why this report is poor; none where it is as it should be. Raises CommandError."""
    named: dict[str, str | int | bool | Sequence[str] | None] = {"flow": answer["asked"]["flow"]}
    if _empty(answer) or _empty(answer.get("against") or {}):
        named |= {key: params[key] for key in ("attribute", "flow_version") if key in params}
        named["path"] = [str(params[key]) for key in ("path", "against_path") if params.get(key)]
    if name == "funnel":
        named["step"] = params.get("step", [])
    found = client.get("reports/hints", named)
    hints = list(map(_unknown_words, found["unknown"]))
    if not found["declared"]:
        hints.append(undeclared_words(found["flow"]))
    elif answer.get("undeclared"):
        hints.append(_unjudged_words(answer["undeclared"], found["flow"]))
    return hints


def with_hints(report: RenderableType, hints: list[str]) -> RenderableType:
    """A report and below it the lines that say why it is poor."""
    return Group(report, *(text(hint, "yellow") for hint in hints)) if hints else report


def undeclared_words(flow: str) -> str:
    """That nobody declared a flow, what that means, and what to do."""
    mend = f"`clew flow discover --flow {shlex.quote(flow)}`"
    return f"nobody declared flow {flow}, so no stage ends an order and none deviates: {mend}"


def _unjudged_words(orders: int, flow: str) -> str:
    """That a flow was declared just now, and what its orders wait for."""
    told = f"{counted(orders, 'order')} {'waits' if orders == 1 else 'wait'} to be judged by flow {flow}"
    return f"{told}, so none of them deviates yet: ask again in a minute"


def _empty(report: dict[str, Any]) -> bool:
    """Whether a report counts no orders."""
    if "orders" in report or "arrived" in report:
        return not report.get("orders", report.get("arrived"))
    return "days" in report and not any(day["open"] for day in report["days"])


def _unknown_words(unknown: dict[str, Any]) -> str:
    known = ", ".join(unknown["known"])
    return f"no order has the {unknown['kind']} {unknown['name']}" + (f"; known are {known}" if known else "")
