"""A figure, its target, and the tables that show them."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number with its unit; without a target it is there to explain the others."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    part: str = ""

    @property
    def target(self) -> str:
        """The target in words, empty without one."""
        if self.at_least is not None:
            return f"≥ {shown(self.at_least)}"
        return f"≤ {shown(self.at_most)}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        """``reached`` or ``not reached``, empty without a target."""
        if not self.target:
            return ""
        reached = (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )
        return "reached" if reached else "not reached"


def shown(value: float) -> str:
    """A number as people read it: 81 234, 12.4, 0.35."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], rank: float) -> float:
    """The value below which that percentage lies, by nearest rank; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * rank / 100))]


def machine() -> dict[str, str]:
    """What the figures depend on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": f"{os.cpu_count()} ({model})",
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        "engine": f"chdb-core {version('chdb-core')}",
        "system": f"{platform.system()} {platform.release()}",
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def as_json(figures: Iterable[Figure], options: dict[str, object]) -> str:
    """All figures with what they depend on."""
    rows = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
    return json.dumps({"machine": machine(), "options": options, "figures": rows}, indent=2, ensure_ascii=False) + "\n"


def as_markdown(figures: Sequence[Figure], options: dict[str, object]) -> str:
    """The page that is kept with the documentation."""
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    given = " ".join(f"--{name} {value}" for name, value in options.items())
    lines = [
        "# Figures",
        "",
        f'Measured by `make bench ARGS="{given} --record"` on: {facts}.',
        "",
        '"CPU second" counts all threads of the server, background merges included; senders are other processes.',
    ]
    for part in dict.fromkeys(figure.part for figure in figures):
        lines += ["", f"## {part}", "", "| figure | measured | target | |", "|---|---:|---:|---|"]
        lines += [
            f"| {each.name} | {shown(each.value)} {each.unit} | {each.target} | {each.verdict} |"
            for each in figures
            if each.part == part
        ]
    return "\n".join(lines) + "\n"
