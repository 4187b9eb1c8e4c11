"""A draft as the text of a flow file, with the reason of each decision in a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from textwrap import wrap

from clew.flow.durations import render_duration
from clew.learn.discover import Draft, DraftStage
from clew.learn.limits import Learned
from clew.learn.words import counted, named, percent
from clew.model.flow import ANY_PATH

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WIDTH = 116


def draft_text(draft: Draft) -> str:
    """The YAML of a draft; `clew.flow.parse_flow` reads it as a flow without mistakes."""
    return "\n".join([*_head(draft), *_unsure(draft), *_paths(draft), *_stages(draft)]) + "\n"


def quoted(text: str) -> str:
    """A text as a YAML scalar that stays the same text anywhere, as a key or in a list on one line."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _head(draft: Draft) -> Iterable[str]:
    wishes = draft.wishes
    between = f"between {_day(draft.first_ns)} and {_day(draft.last_ns)}" if draft.orders else ""
    limits = (
        f"Limits are the {percent(wishes.quantile)} quantile of the time in a stage without holds (Kaplan-Meier, "
        f"so that orders that still wait count), rounded up, never below {render_duration(wishes.floor_ns)}."
    )
    if draft.sampled < draft.orders:
        limits += f" They rest on a sample of {draft.sampled:,} of the orders."
    yield from _comment(f"The way that {counted(draft.orders, 'order')} of {named(draft.name)} really went {between}.")
    yield from _comment(f"{limits} Steps and entries below {percent(wishes.share)} are left out.")
    yield from _comment(
        "What history can't tell: who the people to ask are (owner), what stages mean, rules, transit limits, holds, "
        "and whether the usual way is the right one. Read it, mend it, then `clew flow check` and `clew flow apply`."
    )


def _unsure(draft: Draft) -> Iterable[str]:
    if draft.unsure:
        yield "#"
        yield "# Unsure of:"
    for note in draft.unsure:
        yield from _comment(note, "- ")


def _paths(draft: Draft) -> Iterable[str]:
    yield f"flow: {quoted(draft.name)}"
    yield f"version: {draft.version}"
    yield ""
    yield "paths:"
    for path, entries in draft.paths.items():
        yield f"  {quoted(path)}: [{', '.join(map(quoted, entries))}]  # {_shares(entries)}"


def _stages(draft: Draft) -> Iterable[str]:
    yield ""
    yield "stages:"
    for stage in draft.stages:
        yield f"  {quoted(stage.name)}:  # {counted(stage.orders, 'order')}, {counted(stage.visits, 'visit')}"
        yield from _stage(stage)


def _stage(stage: DraftStage) -> Iterable[str]:
    if stage.terminal:
        yield f"    terminal: {stage.terminal}"
        return
    if stage.service:
        yield f"    service: {quoted(stage.service)}  # reports {percent(stage.service_share)} of what follows"
    if stage.limits:
        yield f"    limit: {_limits(stage.limits)}  # {'; '.join(_grounds(stage.limits))}"
    yield f"    next: [{', '.join(map(quoted, stage.next))}]  # {_shares(stage.next)}"


def _limits(limits: Mapping[str, Learned]) -> str:
    told = {path: render_duration(each.allowed_ns) for path, each in limits.items()}
    if list(told) == [ANY_PATH]:
        return told[ANY_PATH]
    return "{" + ", ".join(f"{quoted(path)}: {length}" for path, length in told.items()) + "}"


def _grounds(limits: Mapping[str, Learned]) -> Iterable[str]:
    for path, each in limits.items():
        whose = "" if path == ANY_PATH else f"{path}: "
        floored = ", raised to the least limit" if each.floored else ""
        yield f"{whose}n = {each.finished:,}, {each.waiting:,} still wait, learned {_seconds(each.quantile_s)}{floored}"


def _shares(counts: Mapping[str, int]) -> str:
    whole = sum(counts.values())
    return ", ".join(f"{percent(number / whole)}" for number in counts.values()) + f" of {whole:,}"


def _seconds(length_s: float) -> str:
    return render_duration(round(length_s) * 10**9) if length_s >= 10 else f"{length_s:.3g}s"


def _day(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d}"


def _comment(told: str, mark: str = "") -> list[str]:
    lines = wrap(told, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {mark if index == 0 else ' ' * len(mark)}{line}" for index, line in enumerate(lines)]
