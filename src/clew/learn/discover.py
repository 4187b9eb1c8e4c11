"""From what happened to a flow that could be declared: decisions, each with its reason.

    seen --> names that fit --> ends --> steps that are common --> order of stages --> limits --> Draft

A draft always passes the checks of a flow file; what had to be decided on thin ground is in its ``unsure``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clew.flow.check import fits_name, fits_stage
from clew.learn.limits import Learned, learn_limits
from clew.learn.ranking import in_order
from clew.learn.seen import Counted, Seen
from clew.learn.words import counted, in_few, named, percent, times
from clew.model.flow import Terminal

MOST_STAGES = 200
MOST_PATHS = 20
ENDS_FOR_SURE = 0.95
"""A stage that no flow declares is taken for an end when this share of its visits was the last of the order."""

DEFAULT_PATH = "default"
_CANCELLING = ("cancel", "abort", "reject", "declin", "denied", "refus", "withdraw", "void", "storn", "annul", "drop")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user chose: the least share of a stage's (or a path's) orders that makes a step (or an entry) allowed,
    the least limit, the quantile that limits are learned at, and a name instead of the history's own."""

    share: float = 0.01
    floor_ns: int = 60 * 10**9
    quantile: float = 0.95
    name: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class DraftStage:
    """A stage to declare. ``next`` and ``visits`` count; ``service`` reported ``service_share`` of what follows."""

    name: str
    visits: int
    orders: int
    terminal: Terminal | None = None
    next: Mapping[str, int] = field(default_factory=dict)
    service: str = ""
    service_share: float = 0.0
    limits: Mapping[str, Learned] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A flow to declare, stages in their order; ``paths`` has the orders that begin at each entry."""

    name: str
    version: int
    wishes: Wishes
    orders: int
    sampled: int
    first_ns: int
    last_ns: int
    paths: Mapping[str, Mapping[str, int]]
    stages: tuple[DraftStage, ...]
    unsure: tuple[str, ...]


def usable_stages(stages: Mapping[str, Counted]) -> list[str]:
    """The stages that a flow can declare: names that fit, and of too many the most frequent."""
    fitting = [name for name in stages if fits_stage(name)]
    return sorted(fitting, key=lambda name: (-stages[name].orders, name))[:MOST_STAGES]


def guess_terminals(seen: Seen, declared: Collection[str] = ()) -> dict[str, Terminal]:
    """How each stage ends an order: known from the flow that judged, else guessed from what followed it.

    A stage that no flow declares is taken for an end when at most one visit in twenty was followed by another stage;
    when there is no end at all, the one in which most orders stopped.
    """
    known = {name: Terminal(kind) for name, kind in seen.terminals.items() if name in seen.stages}
    open_to_guess = [name for name in seen.stages if name not in known and name not in declared]
    guessed = [name for name in open_to_guess if _last_share(seen, name) >= ENDS_FOR_SURE]
    if not known and not guessed and seen.ends:
        guessed = [max(sorted(seen.ends), key=lambda name: seen.ends[name])]
    return known | {name: _kind(name) for name in guessed}


def discover(seen: Seen, everything: Mapping[str, Counted], declared: Collection[str], wishes: Wishes) -> Draft:
    """A flow in which the orders' usual ways are allowed.

    ``seen`` has only stages that a flow can declare, each order cut at its first terminal stage; ``everything`` are all
    stages of the history, so that what is left out can be told. ``declared`` are terminals that a flow declares; the
    others are guesses.
    """
    unsure = [*_of_names(seen, everything)]
    ends = {name: Terminal(kind) for name, kind in seen.terminals.items() if name in seen.stages}
    outs = _outs(seen)
    ends |= {name: _kind(name) for name in seen.stages if name not in ends and not outs[name]}
    unsure += _of_ends(seen, ends, declared)
    paths, path_notes = _paths(seen, wishes.share)
    following = {name: _common(outs[name], wishes.share) for name in seen.stages if name not in ends}
    unsure += _of_rare_steps(outs, following)
    unsure += _made_reachable(seen, outs, following, paths)
    order = in_order(
        {(here, after): number for here, found in following.items() for after, number in found.items()},
        sorted(seen.stages, key=lambda name: (name in ends, ends.get(name) or "", -seen.stages[name].orders, name)),
        last=set(ends),
    )
    stages = tuple(_stage(seen, name, ends, following, list(paths), wishes) for name in order)
    unsure += [*path_notes, *_of_steps_back(stages), *_of_limits(stages)]
    name, name_notes = _flow_name(wishes.name or seen.flow)
    unsure += [*name_notes, *_of_rare_stages(stages, seen.orders, wishes.share)]
    return Draft(
        name, wishes.version, wishes, seen.orders, seen.sampled, seen.first_ns, seen.last_ns, paths, stages,
        tuple(unsure),
    )  # fmt: skip


def _last_share(seen: Seen, name: str) -> float:
    visits = seen.stages[name].count
    return seen.ends.get(name, 0) / visits if visits else 0.0


def _kind(name: str) -> Terminal:
    return Terminal.CANCELLED if any(word in name.lower() for word in _CANCELLING) else Terminal.CLOSED


def _outs(seen: Seen) -> dict[str, Counter[str]]:
    outs: dict[str, Counter[str]] = {name: Counter() for name in seen.stages}
    for (before, after), found in seen.steps.items():
        if before != after:
            outs[before][after] += found.count
    return outs


def _common(found: Counter[str], share: float) -> dict[str, int]:
    """What follows often enough, the most frequent first; at least one."""
    whole = found.total()
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {name: number for index, (name, number) in enumerate(ranked) if index == 0 or number >= share * whole}


def _paths(seen: Seen, share: float) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Entries by path, and what is unsure of them. Orders whose path has no name, or none that fits, share one."""
    notes: list[str] = []
    ranked = sorted(seen.paths, key=lambda path: (-seen.paths[path], path))
    fitting = [path for path in ranked if fits_name(path)]
    kept = fitting[:MOST_PATHS]
    odd = [path for path in ranked if path and path not in kept]
    if odd:
        shared = sum(seen.paths[path] for path in odd)
        notes.append(
            f"paths that a flow can't name, or too many, count as {DEFAULT_PATH} ({counted(shared, 'order')}): "
            f"{in_few(map(named, odd))}"
        )
    if kept and seen.paths.get(""):
        notes.append(f"orders that name no path ({seen.paths['']:,}) have the entries of {DEFAULT_PATH}")
    begun: dict[str, Counter[str]] = {}
    for (path, stage), number in seen.starts.items():
        begun.setdefault(path if path in kept else DEFAULT_PATH, Counter())[stage] += number
    entries = {path: _common(found, share) for path, found in begun.items()}
    order = sorted(entries, key=lambda path: (path == DEFAULT_PATH, -begun[path].total(), path))
    return {path: entries[path] for path in order}, notes


def _made_reachable(
    seen: Seen, outs: Mapping[str, Counter[str]], following: dict[str, dict[str, int]], paths: dict[str, dict[str, int]]
) -> list[str]:
    """Adds the most frequent rare step (or entry) to each stage that no allowed step leads to."""
    notes = []
    while missing := set(seen.stages) - (reached := _reached(following, paths)):
        steps = [
            (number, here, after)
            for here in reached & following.keys()
            for after, number in outs[here].items()
            if after in missing
        ]
        if steps:
            number, here, after = min(steps, key=lambda step: (-step[0], step[1:]))
            following[here][after] = number
            notes.append(f"{named(here)} > {named(after)} is rare ({times(number)}), but nothing else leads there")
            continue
        number, path, stage = max((n, path, s) for (path, s), n in seen.starts.items() if s in missing)
        paths[path if path in paths else DEFAULT_PATH][stage] = number
        notes.append(
            f"{counted(number, 'order')} began in {named(stage)}: an entry, though rare, since nothing else leads there"
        )
    return notes


def _reached(following: Mapping[str, Mapping[str, int]], paths: Mapping[str, Mapping[str, int]]) -> set[str]:
    queue = [stage for entries in paths.values() for stage in entries]
    found = set(queue)
    for here in queue:
        fresh = [after for after in following.get(here, ()) if after not in found]
        found.update(fresh)
        queue += fresh
    return found


def _stage(
    seen: Seen,
    name: str,
    ends: Mapping[str, Terminal],
    following: Mapping[str, Mapping[str, int]],
    paths: Sequence[str],
    wishes: Wishes,
) -> DraftStage:
    found = seen.stages[name]
    if name in ends:
        return DraftStage(name, found.count, found.orders, ends[name])
    service, share = _service(following[name], seen.reporters)
    dwells = {path: each for (path, stage), each in seen.dwells.items() if stage == name}
    limits = learn_limits(dwells, paths, wishes.quantile, wishes.floor_ns)
    return DraftStage(
        name, found.count, found.orders, None, following[name], service, share, limits,
    )  # fmt: skip


def _service(following: Mapping[str, int], reporters: Mapping[str, Mapping[str, int]]) -> tuple[str, float]:
    """The service that reports most of what follows: it has the order in this stage and must bring it on.

    Each stage that follows counts by how often it does, and is shared out by who reports it.
    """
    weights: Counter[str] = Counter()
    for after, number in following.items():
        told = reporters.get(after, {})
        for service, reports in told.items():
            weights[service] += number * reports / sum(told.values())  # type: ignore[assignment]  # shares of counts
    named_ones = {service: weight for service, weight in weights.items() if service and service.isprintable()}
    if not named_ones:
        return "", 0.0
    best = min(named_ones, key=lambda service: (-named_ones[service], service))
    return best, named_ones[best] / sum(weights.values())


def _flow_name(wanted: str) -> tuple[str, list[str]]:
    if fits_name(wanted):
        return wanted, []
    kept = (
        "".join(sign if fits_name(sign) or sign in " ./-" else "-" for sign in wanted)[:100].strip(" ./-") or "orders"
    )
    return kept, [f"a flow can't be named {named(wanted)}, so it is {kept} here"] if wanted else []


def _of_names(seen: Seen, everything: Mapping[str, Counted]) -> Iterable[str]:
    odd = sorted(name for name in everything if not fits_stage(name))
    if odd:
        told = in_few(f"{named(name)} ({counted(everything[name].orders, 'order')})" for name in odd)
        yield (
            f"a flow can't have stages of these names, so they are left out and count as unknown stages: {told}; "
            "rename them where they are reported"
        )
    rest = len([name for name in everything if fits_stage(name)]) - MOST_STAGES
    if rest > 0:
        yield f"{rest} more stages are left out: is the column that was read as the stage the right one?"
    late = sorted(name for name in usable_stages(everything) if name not in seen.stages)
    if late:
        yield f"only ever entered after the end of an order, so left out: {in_few(map(named, late))}"


def _of_ends(seen: Seen, ends: Mapping[str, Terminal], declared: Collection[str]) -> Iterable[str]:
    for name in sorted(ends):
        if name not in declared:
            last = percent(_last_share(seen, name))
            yield f"{named(name)} is taken for an end ({ends[name]}), since {last} of its visits were the last"
    waiting = {name: number for name, number in seen.ends.items() if name not in ends}
    for name in sorted(waiting, key=lambda name: (-waiting[name], name))[:5]:
        if waiting[name] >= max(3, seen.stages[name].count * 0.02):
            yield (
                f"{counted(waiting[name], 'order')} last seen in {named(name)}: do they wait, or is it an end as well? "
                "They count as waiting, which makes its limit longer"
            )


def _of_rare_steps(outs: Mapping[str, Counter[str]], following: Mapping[str, Mapping[str, int]]) -> Iterable[str]:
    rare = [
        (number, here, after)
        for here, found in following.items()
        for after, number in outs[here].items()
        if after not in found
    ]
    if rare:
        told = [f"{named(here)} > {named(after)} {times(number)}" for number, here, after in sorted(rare, reverse=True)]
        yield f"rare steps that are not allowed here, {sum(step[0] for step in rare)} in all: {in_few(told)}"


def _of_steps_back(stages: Sequence[DraftStage]) -> Iterable[str]:
    place = {stage.name: index for index, stage in enumerate(stages)}
    back = [
        f"{named(stage.name)} > {named(after)} {times(number)}"
        for stage in stages
        for after, number in stage.next.items()
        if place[after] < place[stage.name]
    ]
    if back:
        yield f"steps back that are common enough to be allowed; remove those that are rework: {in_few(back)}"


def _of_limits(stages: Sequence[DraftStage]) -> Iterable[str]:
    thin = [named(stage.name) for stage in stages if stage.terminal is None and not stage.limits]
    if thin:
        yield f"too little is known for a limit of {in_few(thin)}: too few orders moved on, or too many still wait"
    floored = [named(stage.name) for stage in stages if any(each.floored for each in stage.limits.values())]
    if floored:
        yield f"the least limit is set, as orders moved on faster than that: {in_few(floored)}"


def _of_rare_stages(stages: Sequence[DraftStage], orders: int, share: float) -> Iterable[str]:
    rare = [f"{named(stage.name)} ({stage.orders})" for stage in stages if stage.orders < share * orders]
    if rare:
        yield f"stages that few orders entered: {in_few(rare)}"
