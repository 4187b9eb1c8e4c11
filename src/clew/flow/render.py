"""Flow to YAML that reads like a hand-written file, and problems to text that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml

from clew.flow.acceptances import render_expiry
from clew.flow.durations import render_duration
from clew.flow.load import DEFAULT_WARN
from clew.model.errors import Problem
from clew.model.flow import ANY_PATH, Flow, Stage, StageRule

_DEFAULT_SHARE = int(DEFAULT_WARN.rstrip("%"))


def render_flow(flow: Flow) -> str:
    """The YAML of a flow; `parse_flow` gives the same flow back."""
    whole: dict[str, object] = {
        "flow": flow.name,
        "version": flow.version,
        "singular": flow.singular,
        "plural": flow.plural,
        "paths": {path: list(entries) for path, entries in flow.paths.items()},
        "stages": {stage.name: _stage(stage) for stage in flow.stages},
        "transit": {destination: render_duration(limit) for destination, limit in flow.transit_limits.items()},
        "holds": {"limit": render_duration(flow.hold_limit_ns)} if flow.hold_limit_ns else {},
        "due": {"warn": f"{render_duration(flow.due_margin_ns)} before"} if flow.due_margin_ns else {},
        "accept": [_acceptance(flow, deviation) for deviation in sorted(flow.accepted)],
    }
    return yaml.dump(_filled(whole), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def format_problems(problems: Iterable[Problem], text: str = "") -> str:
    """The problems for a terminal: place, key, the line itself with a mark below, cause and mend.

    ``text`` is the file's text; without it the lines themselves are left out.
    """
    lines = text.splitlines()
    return "\n\n".join(_format(problem, lines) for problem in problems)


def _format(problem: Problem, lines: list[str]) -> str:
    place = f"line {problem.line}, column {problem.column}" if problem.line else "the file"
    out = [f"{place}: {problem.key}" if problem.key else place]
    if 0 < problem.line <= len(lines) and lines[problem.line - 1].strip():
        margin = f"  {problem.line} | "
        out += [margin + lines[problem.line - 1], " " * (len(margin) + problem.column - 1) + "^"]
    out.append(f"  {problem.cause}")
    if problem.mend:
        out.append(f"  mend: {problem.mend}")
    return "\n".join(out)


class _Dumper(yaml.SafeDumper):
    """Short lists on one line, no anchors for values that happen to be equal, odd signs as escapes."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class passes it
        return True

    def short_list(self, data: list[object]) -> yaml.SequenceNode:
        flat = all(isinstance(item, str) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)

    def plain_text(self, data: str) -> yaml.ScalarNode:
        # Outside double quotes the emitter writes U+0085 and its like as line breaks.
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(list, _Dumper.short_list)
_Dumper.add_representer(str, _Dumper.plain_text)


def _filled(entries: Mapping[str, object]) -> dict[str, object]:
    """The entries that say something."""
    return {key: value for key, value in entries.items() if value not in ("", None, {}, [])}


def _acceptance(flow: Flow, deviation: str) -> object:
    said = flow.acceptances.get(deviation)
    if said is None:
        return deviation
    expires = "" if said.expires_ns is None else render_expiry(said.expires_ns)
    return _filled({"deviation": deviation, "author": said.author, "reason": said.reason, "expires": expires})


def _stage(stage: Stage) -> dict[str, object]:
    limits = {path: render_duration(limit.allowed_ns) for path, limit in stage.limits.items()}
    usual = all(limit.warn_ns == limit.allowed_ns * _DEFAULT_SHARE // 100 for limit in stage.limits.values())
    warnings = {} if usual else {path: render_duration(limit.warn_ns) for path, limit in stage.limits.items()}
    return _filled(
        {
            "meaning": stage.meaning,
            "service": stage.service,
            "owner": stage.owner,
            "limit": _one_or_by_path(limits),
            "warn": _one_or_by_path(warnings),
            "next": list(stage.next),
            "terminal": stage.terminal.value if stage.terminal else "",
            "rules": [_rule(rule) for rule in stage.rules],
        }
    )


def _one_or_by_path(values: Mapping[str, str]) -> object:
    return values[ANY_PATH] if list(values) == [ANY_PATH] else dict(values)


def _rule(rule: StageRule) -> dict[str, object]:
    return _filled(
        {
            "service": rule.service,
            "span": rule.span,
            "where": dict(rule.where),
            "status": rule.status,
            "order_attribute": rule.order_attribute,
            "order_url": rule.order_url,
            "outcome": rule.outcome,
            "path": rule.path,
        }
    )
