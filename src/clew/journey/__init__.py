"""Journeys: what the facts of one order add up to, and what to say of it now."""

from clew.journey.dwell import dwells
from clew.journey.judge import judge
from clew.journey.rebuild import rebuild

__all__ = ["dwells", "judge", "rebuild"]
