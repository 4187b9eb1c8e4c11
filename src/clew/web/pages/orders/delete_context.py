"""What is asked before a saved view is deleted: others may use it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeleteViewPage:
    """The question whether a saved view is to be deleted: its ``name``, and the ``href`` of the list that it shows, to
    which both answers lead."""

    name: str
    href: str
