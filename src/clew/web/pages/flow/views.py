"""The views of the flow page: their names, what each answers, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class View:
    """One view: the name in its address, its label, the question that it answers.

    ``report`` is its report at /api/v1/reports, empty where it has none; ``range`` is what can be asked of the time:
    orders by one of their moments, days, or nothing at all. ``compared``: it can be held against another range or path.
    """

    name: str
    label: str
    about: str
    report: str = ""
    range: Literal["orders", "days", "none"] = "orders"
    compared: bool = True


GROUPS: tuple[tuple[str, tuple[View, ...]], ...] = (
    (
        "Ways",
        (
            View("map", "Process map", "Which stage follows which, how often, and how long that takes.", "map"),
            View("funnel", "Funnel", "How far orders come on each path, and what became of the others.", "funnel"),
            View("variants", "Variants", "The different ways through the stages, the most usual first.", "variants"),
            View(
                "conformance",
                "Conformance",
                "How many orders went the declared way, and how the others left it.",
                "conformance",
            ),
            View("rework", "Rework", "Which stages are entered again, whether the flow allows it or not.", "rework"),
        ),
    ),
    (
        "Times",
        (
            View("dwell", "Dwell", "How long orders stay in each stage, those counted that still wait.", "dwell"),
            View(
                "throughput",
                "Throughput time",
                "How long finished orders took from their first stage to the end.",
                "throughput",
            ),
            View(
                "remaining",
                "Remaining time",
                "How long orders of the last 90 days still took from each stage to their end.",
                range="none",
                compared=False,
            ),
        ),
    ),
    (
        "Days",
        (
            View("heatmap", "Hours of the week", "At which hours of the week orders enter each stage.", "heatmap"),
            View("dots", "Dotted chart", "Single orders, a mark for each stage they entered. Pauses show.", "dots"),
            View("arrivals", "Arrivals", "Orders that came and orders that ended, day by day.", "arrivals", "days"),
            View("wip", "Work in progress", "Orders that were open at the end of each day.", "wip", "days"),
        ),
    ),
    (
        "The flow itself",
        (
            View(
                "declared",
                "Declared flow",
                "The stages an order passes: who has it there, how long it may take, where it goes next.",
                range="none",
                compared=False,
            ),
            View("diff", "Declared and real", "Where the declared flow and what happens differ.", compared=False),
        ),
    ),
)
VIEWS = {view.name: view for _, views in GROUPS for view in views}
STEP = View("step", "One step", "The orders that went from one stage straight to another, the slowest first.", "step")
"""Reached from the map and its table, not from the list of views."""
