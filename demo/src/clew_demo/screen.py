"""The live log: one line for each thing that happens, coloured on a terminal and plain elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

COLOURS = {
    "demo": "bold",
    "fault": "bold yellow",
    "clew": "bold cyan",
    "broker": "dim",
    "shop-api": "green",
    "crm-api": "magenta",
    "mes-api": "blue",
    "mes": "bright_blue",
    "slack": "cyan",
    "pagerduty": "red",
}
WIDEST = max(len(name) for name in COLOURS)


class Screen:
    """Writes to standard output, each line with the seconds since the start and who says it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._start_s = time.monotonic()

    def say(self, who: str, what: str) -> None:
        """One line of the log."""
        seconds = time.monotonic() - self._start_s
        line = Text.assemble((f"{seconds:6.1f} s  ", "dim"), (f"{who:<{WIDEST}}  ", COLOURS.get(who, "")), what)
        self._console.print(line, soft_wrap=True)

    def title(self, text: str) -> None:
        """A heading with room around it."""
        self._console.print(Text(f"\n{text}\n", "bold"), soft_wrap=True)
