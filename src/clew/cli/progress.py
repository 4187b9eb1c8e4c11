"""Work that takes many requests: a bar for people, and patience with a server that can't answer just now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from clew.cli.client import Client, NoAnswer

_PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How long a server that can't take data now is waited for, from try to try."""


def rebuild_journeys(client: Client, import_id: str, bars: Progress, a_slice: int = 0) -> dict[str, Any]:
    """Have the journeys of an import rebuilt, so many orders a slice (0: as many as the API likes); the last answer."""
    task = bars.add_task("journeys", total=None)
    while True:
        answer: dict[str, Any] = patiently(lambda: client.post(f"imports/{import_id}/rebuild", "", {"limit": a_slice}))
        bars.update(task, completed=answer["rebuilt"], total=answer["orders"])
        if answer["done"]:
            return answer


def patiently(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON is what it is
    """The answer, also of a server that can't take data just now; what is sent twice is stored once."""
    for wait_s in _PATIENCE_S:
        try:
            return ask()
        except NoAnswer:
            time.sleep(wait_s)
    return ask()


def progress_bars() -> Progress:
    """Progress on standard error; nothing where nobody looks."""
    errors = Console(stderr=True)
    columns = (TextColumn("{task.description:<8}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
