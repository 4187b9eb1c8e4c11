"""A figure, its target, and the tables that show them."""

from __future__ import annotations

import json
import os
import platform
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
    }


@dataclass(frozen=True, slots=True)
class Part:
    """What one part measured, and how it was asked."""

    name: str
    measured: str
    asked: str
    figures: tuple[Figure, ...]


def read_parts(path: Path) -> dict[str, Part]:
    """The parts that were measured before, by name."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return {
        each["name"]: Part(**each | {"figures": tuple(Figure(**figure) for figure in each["figures"])})
        for each in found
    }


def write_parts(path: Path, parts: Iterable[Part]) -> None:
    """Write all parts with what they depend on."""
    path.parent.mkdir(exist_ok=True)
    written = {"machine": machine(), "parts": [asdict(part) for part in parts]}
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def as_markdown(parts: Iterable[Part]) -> str:
    """The page that is kept with the documentation."""
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    lines = [
        "# Figures",
        "",
        f"Measured by `make bench` on: {facts}.",
        "",
        '"CPU second" counts all threads of the server, background merges included; senders are other processes.',
    ]
    for part in parts:
        asked = f'`make bench ARGS="{part.asked}"`, {part.measured}'
        lines += ["", f"## {part.name}", "", asked, "", "| figure | measured | target | |", "|---|---:|---:|---|"]
        lines += [
            f"| {each.name} | {shown(each.value)} {each.unit} | {each.target} | {each.verdict} |"
            for each in part.figures
        ]
    return "\n".join(lines) + "\n"
