"""Orders told at random, for tests of what rules find in them."""

from __future__ import annotations

from hypothesis import strategies as st

from clew.model.journey import LostReason
from clew.model.rule import Rule, Severity
from tests.journey.timeline import event, failed, hold, loss, resume

STAGES = ("BASKET", "ORDERED", "PRICED", "APPROVED", "MADE", "SHIPPED", "DONE", "DROPPED", "GLUED")


def rule(shape, name="r", **common):
    """A rule of a shape."""
    return Rule(name, shape, Severity.ERROR, **common)


MOMENTS = st.integers(0, 600)
EVENTS = st.lists(
    st.one_of(
        st.builds(event, st.sampled_from(STAGES), MOMENTS),
        st.builds(failed, st.sampled_from(STAGES), MOMENTS, st.just("no 3D data")),
        st.builds(hold, MOMENTS),
        st.builds(resume, MOMENTS),
        st.builds(lambda minutes, due: event("", minutes, due_at_ns=due), MOMENTS, st.integers(1, 10**19 // 5)),
    ),
    min_size=1,
    max_size=8,
)
LOSSES = st.lists(st.builds(lambda at, why: loss(at, reason=why), MOMENTS, st.sampled_from(LostReason)), max_size=1)
