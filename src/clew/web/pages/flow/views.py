"""The views of the flow page: their names, what each answers, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class View:
    """One view: the name in its address, its label, the question that it answers.

    ``report`` is its report below /api/v1, empty where it has none; ``range`` is what can be asked of the time:
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
            View("map", "Process map", "Which stage follows which, how often, and how long that takes.", "reports/map"),
            View(
                "funnel", "Funnel", "How far orders come on each path, and what became of the others.", "reports/funnel"
            ),
            View(
                "variants",
                "Variants",
                "The different ways through the stages, the most usual first.",
                "reports/variants",
            ),
            View(
                "conformance",
                "Conformance",
                "How many orders went the declared way, and how the others left it.",
                "reports/conformance",
            ),
            View(
                "rework",
                "Rework",
                "Which stages are entered again, whether the flow allows it or not.",
                "reports/rework",
            ),
        ),
    ),
    (
        "Times",
        (
            View(
                "dwell", "Dwell", "How long orders stay in each stage, those counted that still wait.", "reports/dwell"
            ),
            View(
                "throughput",
                "Throughput time",
                "How long finished orders took from their first stage to the end.",
                "reports/throughput",
            ),
            View(
                "remaining",
                "Remaining time",
                "How long orders of the last 90 days still took from each stage to their end.",
                "learn/remaining",
                range="none",
                compared=False,
            ),
        ),
    ),
    (
        "Days",
        (
            View(
                "heatmap", "Hours of the week", "At which hours of the week orders enter each stage.", "reports/heatmap"
            ),
            View(
                "dots",
                "Dotted chart",
                "Single orders, a mark for each stage they entered. Pauses show.",
                "reports/dots",
            ),
            View(
                "arrivals",
                "Arrivals",
                "Orders that came and orders that ended, day by day.",
                "reports/arrivals",
                "days",
            ),
            View("wip", "Work in progress", "Orders that were open at the end of each day.", "reports/wip", "days"),
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
            View(
                "diff",
                "Declared and real",
                "Where the declared flow and what happens differ.",
                "learn/diff",
                compared=False,
            ),
        ),
    ),
)
VIEWS = {view.name: view for _, views in GROUPS for view in views}
STEP = View(
    "step",
    "One step",
    "The orders that went from one stage straight to another, the slowest first.",
    "reports/step",
    compared=False,
)
"""Reached from the map and its table, not from the list of views."""
