"""Where parts of a report lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from clew.api.report_models import AskedModel
from clew.model.flow import Flow
from clew.web.pages.flow.asked import EVERYTHING, Pairs, common

Href = Callable[[Mapping[str, Any]], str]


def stage_href(flow: str, path: str, stage: str, *, ended: bool = False) -> str:
    """The list of the orders that are in a stage now."""
    asked = [("flow", flow), ("stage", stage), ("path", path), ("ended", "1" if ended else "")]
    return "/?" + urlencode([(name, value) for name, value in asked if value])


def deviation_href(flow: str, path: str, kind: str, stage: str) -> str:
    """The list of the orders that left the flow so, ended ones too; the list knows no range."""
    asked = [("flow", flow), ("path", path), ("deviation", f"{kind}:{stage}"), ("ended", "1")]
    return "/?" + urlencode([(name, value) for name, value in asked if value])


def step_href(pairs: Pairs, before: str, after: str) -> str:
    """The orders that went from one stage straight to another, with the filters of the view."""
    kept = [(name, value) for name, value in common(pairs) if not name.startswith("against")]
    return "/flow/step?" + urlencode([("before", before), ("after", after), *kept])


def pairs_of(asked: AskedModel) -> list[tuple[str, str]]:
    """The parameters with which a view asks for what a report has counted."""
    pairs = [
        ("flow", asked.flow),
        ("from", asked.from_at or EVERYTHING),
        ("to", asked.to_at or ""),
        ("by", asked.by),
        ("path", asked.path),
        *(("attribute", f"{name}={value}") for name, value in asked.attributes.items()),
        ("flow_version", "" if asked.flow_version is None else str(asked.flow_version)),
    ]
    return [(name, value) for name, value in pairs if value]


def stage_column(flow: Flow | None, name: str, path: str | None, column: str = "stage") -> dict[str, Href]:
    """How the stage in a column of a table leads to the orders in it; without a ``path``, those of the row's own."""
    ends = {stage.name for stage in flow.stages if stage.terminal} if flow else set()

    def href(row: Mapping[str, Any]) -> str:
        stage = str(row[column])
        own = str(row["path"]) if path is None else path
        return stage_href(name, own, stage, ended=stage in ends) if stage else ""

    return {column: href}
