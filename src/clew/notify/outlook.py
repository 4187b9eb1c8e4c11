"""How an incident stands and who hears of it next, in the words of page, command, API and notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clew.control.contract import Told
from clew.model.incident import Incident, IncidentState, Policy
from clew.model.lengths import ago, how_long

SETTLE_NS = 2 * 60 * 10**9
"""An incident is resolved when none of its alerts has fired for so long: what flaps stays one incident."""

_REACHED = {"sent", "summed"}

When = Callable[[int], str]
"""A moment (Unix ns) in words that follow "next is duty,"."""


@dataclass(frozen=True, slots=True)
class Coming:
    """``channels`` are told ``at_ns``, or when ``hours`` begin after that (empty: they needn't)."""

    at_ns: int
    channels: tuple[str, ...]
    hours: str = ""


def is_over(incident: Incident) -> bool:
    """Whether none of its alerts fires any more, resolved or not."""
    return not incident.firing and (incident.quiet_ns is not None or incident.state is IncidentState.RESOLVED)


def stands(incident: Incident, now_ns: int) -> str:
    """Why there is an incident; of one that is over what was, since when it is over, and what happens next."""
    if not is_over(incident):
        return incident.reason
    before = f"Before: {incident.reason}" if incident.reason else ""
    if incident.resolved_ns is not None:
        return f"It was resolved {ago(incident.resolved_ns, now_ns)}. {before}".strip()
    quiet_ns = now_ns if incident.quiet_ns is None else incident.quiet_ns
    left_ns = quiet_ns + SETTLE_NS - now_ns
    when = f"in {how_long(left_ns)}" if left_ns > 0 else "with the next look"
    quiet = f"No alert has fired for {how_long(now_ns - quiet_ns)}; it resolves itself {when}."
    return f"{quiet} {before}".strip()


def coming(incident: Incident, policy: Policy | None) -> Coming | None:
    """Who is told next, unless somebody acknowledges; None: nobody is left. Steps out of their hours are skipped."""
    if policy is None or not policy.steps or incident.step_at_ns is None:
        return None
    at_ns, last = incident.step_at_ns, len(policy.steps) - 1
    number = min(incident.step, last)
    while True:
        step = policy.steps[number]
        if step.hours is None or step.hours.holds_at(at_ns):
            return Coming(at_ns, step.channels)
        if number == last:
            return Coming(at_ns, step.channels, step.hours.name)
        number += 1
        at_ns += policy.steps[number].after_ns


def next_words(incident: Incident, policy: Policy | None, when: When) -> str:
    """Who is told next and when, or that nobody else is, and why not."""
    if incident.explained_by is not None:
        return f"nobody else is told while incident {incident.explained_by} explains it"
    if incident.silenced:
        return "nobody else is told while it is silenced"
    if incident.state is IncidentState.ACKNOWLEDGED:
        stale_ns = incident.step_at_ns
        again = "" if stale_ns is None else f", unless it still fires {when(stale_ns)}"
        return f"{incident.acknowledged_by or 'somebody'} has it, so nobody else is told{again}"
    if is_over(incident):
        return "nobody else is told unless it fires again"
    if policy is None:
        return "nobody else is told, as no policy takes it"
    found = coming(incident, policy)
    if found is None:
        return "nobody else will be told"
    begin = f"when the hours {found.hours} begin" if found.hours else when(found.at_ns)
    return f"next is {_listed(found.channels)}, {begin} unless somebody acknowledges it"


def told_so_far(notices: Iterable[Told]) -> str:
    """Which channels were told, and which were not though they are to be: ``slack was told, duty not yet``."""
    states: dict[str, set[str]] = {}
    for each in notices:
        states.setdefault(each.channel, set()).add(each.state)
    reached = [name for name, found in states.items() if found & _REACHED]
    waits = [name for name, found in states.items() if "waiting" in found and name not in reached]
    never = [name for name in states if name not in reached and name not in waits]
    parts = [f"{_listed(reached)} {'was' if len(reached) == 1 else 'were'} told" if reached else "nobody was told"]
    parts += [f"{_listed(waits)} not yet"] if waits else []
    parts += [f"{_listed(never)} could not be"] if never else []
    return ", ".join(parts)


def outlook(incident: Incident, policy: Policy | None, now_ns: int, notices: Iterable[Told]) -> str:
    """Who was told, and who is next: ``slack was told; next is duty, in 12 min unless somebody acknowledges it``.

    ``notices`` are all of the incident, with what became of each.
    """
    so_far = told_so_far(notices)
    if incident.state is IncidentState.RESOLVED:
        return so_far

    def when(at_ns: int) -> str:
        return f"in {how_long(at_ns - now_ns)}" if at_ns > now_ns else "at once"

    return f"{so_far}; {next_words(incident, policy, when)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if names[1:] else "") + "".join(names[-1:])
