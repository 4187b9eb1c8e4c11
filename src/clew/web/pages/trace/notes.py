"""What is odd about a trace, in sentences."""

from __future__ import annotations

from clew.web.pages.trace.tree import TraceTree
from clew.web.words import brief, counted

_GAPS = 3


def notes_on(tree: TraceTree, *, complete: bool) -> tuple[str, ...]:
    """Sentences about lost parents, several roots, cycles, clocks that differ, and spans that were not read."""
    notes = []
    if not complete:
        notes.append(f"This trace has more than {len(tree.lines):,} spans; the later ones are left out.")
    if orphans := len(tree.orphans):
        verb, what = (
            ("names a parent that is", "It stands") if orphans == 1 else ("name parents that are", "They stand")
        )
        notes.append(
            f"{counted(orphans, 'span')} {verb} not stored: not sent, not yet here, or dropped by sampling. "
            f"{what} at the top, marked ◇."
        )
    own_roots = len(tree.roots) - len(tree.orphans) - len(tree.looped)
    if own_roots > 1:
        notes.append(f"This trace has {own_roots:,} roots: spans without a parent.")
    if looped := len(tree.looped):
        notes.append(
            f"The parents of {counted(looped, 'span')} lead back to themselves. "
            "Such a circle is opened at its earliest span, which stands at the top."
        )
    return (*notes, *_clocks(tree))


def _clocks(tree: TraceTree) -> list[str]:
    gaps = tree.clock_gaps()
    said = [
        f"{counted(gap.spans, 'span')} of {gap.service} {'begins' if gap.spans == 1 else 'begin'} up to "
        f"{brief(gap.most_ns)} before {'its parent' if gap.spans == 1 else 'their parents'} in {gap.caller}: "
        "the clocks differ. Times are shown as they were sent."
        for gap in gaps[:_GAPS]
    ]
    if len(gaps) > _GAPS:
        said.append(f"The clocks of {len(gaps) - _GAPS:,} more pairs of services differ.")
    return said
