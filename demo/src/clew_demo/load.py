"""The plan of the load: who orders what, when, and how patiently. The same seed plans the same orders."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

CUSTOMERS = ("anna.k", "bruno.m", "clara.s", "dario.f", "elif.y", "farid.a", "greta.w", "hiro.t")
PARTNERS = ("goldhaus-partner", "ringwerk-partner", "juwel24-partner")
METALS = ("gold", "silver", "platinum")

B2B_SHARE = 0.3
CANCELLED_SHARE = 0.1
HELD_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order to come; all times are seconds.

    ``pause_s`` passes before it, ``think_s`` before each of its customer's acts, ``decide_s`` before the manager's.
    ``held_s`` is how long the manager holds it, 0 for not at all.
    """

    path: str
    customer: str
    metal: str
    pause_s: float
    think_s: float
    decide_s: float
    held_s: float
    cancelled: bool


def plan(seed: int) -> Iterator[PlannedOrder]:
    """Orders without end."""
    dice = random.Random(seed)
    while True:
        b2b = dice.random() < B2B_SHARE
        yield PlannedOrder(
            path="b2b" if b2b else "b2c",
            customer=dice.choice(PARTNERS if b2b else CUSTOMERS),
            metal=dice.choice(METALS),
            pause_s=dice.uniform(0.4, 1.2),
            think_s=dice.uniform(0.2, 0.8),
            decide_s=dice.uniform(0.2, 1.0),
            held_s=dice.uniform(1.0, 2.0) if dice.random() < HELD_SHARE else 0.0,
            cancelled=not b2b and dice.random() < CANCELLED_SHARE,
        )
