"""What happened, counted: the values that discovering and comparing flows decide on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something happened, and to how many orders."""

    count: int
    orders: int


@dataclass(frozen=True, slots=True)
class Dwells:
    """Times in a stage, in seconds without holds: of visits that are over, and up to now of orders that still wait."""

    finished: Sequence[float] = ()
    waiting: Sequence[float] = ()

    def __add__(self, other: Dwells) -> Dwells:
        """Both together."""
        return Dwells((*self.finished, *other.finished), (*self.waiting, *other.waiting))


@dataclass(frozen=True, slots=True)
class Seen:
    """Orders of one flow as they went, each up to its first terminal stage; reports of the same stage in a row are one.

    ``stages`` counts visits and orders of each stage; ``paths`` orders; ``starts`` orders by path and first stage;
    ``ends`` orders by their last stage, ended or not; ``steps`` what followed what, never a stage itself. ``terminals``
    are the stages known to end an order, with how: ``closed`` or ``cancelled``. ``reporters`` counts stage events by
    stage and service. ``dwells`` are by path and stage, maybe of fewer orders (``sampled``) than all.
    Moments are Unix nanoseconds: of the first and the last visit.
    """

    flow: str
    orders: int = 0
    sampled: int = 0
    first_ns: int = 0
    last_ns: int = 0
    stages: Mapping[str, Counted] = field(default_factory=dict)
    paths: Mapping[str, int] = field(default_factory=dict)
    starts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[tuple[str, str], Counted] = field(default_factory=dict)
    terminals: Mapping[str, str] = field(default_factory=dict)
    reporters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    dwells: Mapping[tuple[str, str], Dwells] = field(default_factory=dict)
