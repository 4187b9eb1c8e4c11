"""YAML to channels, policies and routes; a wrong file is answered with every mistake at once, with line and mend.

Channels and the heartbeat are read by whoever knows their kinds, so that this needs neither secrets nor a network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import yaml

from clew.flow.document import compose_document, failure, read_text
from clew.flow.durations import parse_duration
from clew.flow.hours import hours_named, read_hours
from clew.flow.nodes import Reader, did_you_mean, join
from clew.model.errors import NotifyError
from clew.model.incident import Policy, PolicyStep, Route
from clew.model.rule import Severity
from clew.model.week import WeekHours
from clew.notify.escalation import Policies

TOP_KEYS = ("notify", "version", "channels", "hours", "policies", "routes", "heartbeat", "limits")
POLICY_KEYS = ("steps", "repeat", "stale_after")
STEP_KEYS = ("wait", "notify", "hours")
ROUTE_KEYS = ("severities", "labels", "policy")

MOST_REPEATS = 20
PER_MINUTE = 10

_BEGIN = "begin with 'notify: NAME' and 'channels:' at the margin; see docs/incidents.md"
_DURATION = "write for example 15m, 4h or 1h30m"

Channel = TypeVar("Channel")
Switch = TypeVar("Switch")
_ChannelRead = TypeVar("_ChannelRead", covariant=True)
_SwitchRead = TypeVar("_SwitchRead", covariant=True)


class ReadsKinds(Protocol[_ChannelRead, _SwitchRead]):
    """Knows the kinds of channels. Both note mistakes with the reader, and answer None when there are any."""

    def read(self, name: str, node: yaml.Node, key: str, reader: Reader) -> _ChannelRead | None:
        """The channel at a node; ``key`` is the dotted way to it."""
        ...

    def read_switch(self, node: yaml.Node, key: str, reader: Reader) -> _SwitchRead | None:
        """The external dead-man's switch at a node."""
        ...


@dataclass(frozen=True, slots=True)
class Notify(Generic[Channel, Switch]):
    """Who is told, and how. ``per_minute`` is the most that one channel is told one by one within a minute."""

    name: str
    version: int
    channels: Mapping[str, Channel] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    heartbeat: Switch | None = None
    per_minute: int = PER_MINUTE


def parse_notify(text: str, kinds: ReadsKinds[Channel, Switch], name: str = "<notify>") -> Notify[Channel, Switch]:
    """What a YAML text declares.

    Raises NotifyError whose ``problems`` name every mistake; ``name`` says in messages whose they are.
    """
    reader = Reader()
    root = compose_document(text, name, "notify file", _BEGIN, NotifyError)
    top = reader.mapping(root, "", TOP_KEYS)
    declared = _entries(reader, top.get("channels"), "channels")
    read = {each: kinds.read(each, node, join("channels", each), reader) for each, node in declared.items()}
    hours = read_hours(reader, top.get("hours"))
    policies = _read_policies(reader, top.get("policies"), declared, hours)
    routes = _read_routes(reader, top["routes"], policies) if "routes" in top else _route_for_all(policies)
    _check_coverage(reader, routes, policies, declared)
    limits = _entries(reader, top.get("limits"), "limits", ("per_minute",))
    switch = top.get("heartbeat")
    notify = Notify(
        name=reader.text(top.get("notify"), "notify"),
        version=reader.whole(top.get("version"), "version", 1),
        channels={each: channel for each, channel in read.items() if channel is not None},
        policies=Policies(policies, routes),
        heartbeat=None if switch is None else kinds.read_switch(switch, "heartbeat", reader),
        per_minute=reader.whole(limits.get("per_minute"), "limits.per_minute", PER_MINUTE),
    )
    if reader.problems:
        raise failure(name, reader.problems, NotifyError)
    return notify


def load_notify(path: Path | str, kinds: ReadsKinds[Channel, Switch]) -> Notify[Channel, Switch]:
    """What a file declares; raises NotifyError as `parse_notify`, and for a file that can't be read."""
    return parse_notify(read_text(Path(path), NotifyError), kinds, str(path))


def example_text() -> str:
    """A notify file as YAML, comments included: what a user copies to begin with. It has no secrets."""
    return (files("clew.notify") / "jeweller.yaml").read_text(encoding="utf-8")


def _entries(reader: Reader, node: yaml.Node | None, key: str, known: Collection[str] = ()) -> dict[str, yaml.Node]:
    return {} if node is None else reader.mapping(node, key, known)


def _read_policies(
    reader: Reader, node: yaml.Node | None, channels: Collection[str], hours: Mapping[str, WeekHours]
) -> dict[str, Policy]:
    entries = _entries(reader, node, "policies")
    return {name: _read_policy(reader, name, body, channels, hours) for name, body in entries.items()}


def _read_policy(
    reader: Reader, name: str, node: yaml.Node, channels: Collection[str], hours: Mapping[str, WeekHours]
) -> Policy:
    key = join("policies", name)
    body = reader.mapping(node, key, POLICY_KEYS)
    written = list(reader.items(body.get("steps"), join(key, "steps")))
    if not written:
        reader.report(key, f"policy {name!r} has no steps", "add for example steps: [{notify: [CHANNEL]}]", node)
    return Policy(
        name=name,
        steps=tuple(_read_step(reader, full, step, channels, hours) for full, step in written),
        repeat=_repeat(reader, body.get("repeat"), join(key, "repeat")),
        stale_after_ns=_duration(reader, body.get("stale_after"), join(key, "stale_after")),
    )


def _read_step(
    reader: Reader, key: str, node: yaml.Node, channels: Collection[str], hours: Mapping[str, WeekHours]
) -> PolicyStep:
    body = reader.mapping(node, key, STEP_KEYS)
    names = reader.texts(body.get("notify"), join(key, "notify"))
    if not names:
        reader.report(key, "a step that tells nobody", "add for example notify: [CHANNEL]", node)
    for name in names:
        if name not in channels:
            mend = did_you_mean(name, channels) or "declare it under 'channels:'"
            reader.report(join(key, "notify"), f"no channel {name!r} is declared", mend, body.get("notify"))
    return PolicyStep(
        after_ns=_duration(reader, body.get("wait"), join(key, "wait")) or 0,
        channels=names,
        hours=hours_named(reader, body.get("hours"), join(key, "hours"), hours),
    )


def _read_routes(reader: Reader, node: yaml.Node | None, policies: Mapping[str, Policy]) -> tuple[Route, ...]:
    routes: list[Route] = []
    for key, item in reader.items(node, "routes"):
        if any(not route.severities and not route.labels for route in routes):
            reader.report(key, "no incident comes to this route", "put the one that takes all at the end", item)
        routes.append(_read_route(reader, key, item, policies))
    return tuple(routes)


def _route_for_all(policies: Mapping[str, Policy]) -> tuple[Route, ...]:
    """Without routes all incidents take the only policy, or the one that is called default."""
    if "default" in policies:
        return (Route("default"),)
    return tuple(Route(name) for name in policies) if len(policies) == 1 else ()


def _read_route(reader: Reader, key: str, node: yaml.Node, policies: Mapping[str, Policy]) -> Route:
    body = reader.mapping(node, key, ROUTE_KEYS)
    policy = reader.text(body.get("policy"), join(key, "policy"))
    if policy not in policies:
        cause = f"no policy {policy!r} is declared" if policy else "a route without a policy"
        mend = did_you_mean(policy, policies) if policy else "add for example policy: default"
        reader.report(join(key, "policy"), cause, mend or "declare it under 'policies:'", body.get("policy", node))
    severities_key = join(key, "severities")
    words = reader.texts(body.get("severities"), severities_key)
    known = [severity.value for severity in Severity]
    for word in words:
        if word not in known:
            mend = did_you_mean(word, known)
            reader.report(severities_key, f"{word!r} is no severity", mend, body.get("severities"))
    labels_key = join(key, "labels")
    labels = _entries(reader, body.get("labels"), labels_key)
    return Route(
        policy=policy,
        severities=tuple(Severity(word) for word in words if word in known) or (tuple(Severity) if words else ()),
        labels={name: reader.text(value, join(labels_key, name)) for name, value in labels.items()},
    )


def _check_coverage(
    reader: Reader, routes: tuple[Route, ...], policies: Mapping[str, Policy], channels: Collection[str]
) -> None:
    """Somebody must be told of every severity, whatever the labels."""
    if channels and not policies:
        reader.report("policies", "no policy tells a channel", "add policies: and routes:, see docs/incidents.md")
        return
    covered = {severity for route in routes if not route.labels for severity in route.severities or Severity}
    missing = [severity.value for severity in Severity if severity not in covered]
    if policies and missing:
        mend = f"end the routes with {{policy: {next(iter(policies))}}}"
        reader.report("routes", f"nobody is told of {', '.join(missing)}", mend)


def _repeat(reader: Reader, node: yaml.Node | None, key: str) -> int:
    text = reader.text(node, key)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= MOST_REPEATS):
        reader.report(key, f"{text!r} is not a number from 0 to {MOST_REPEATS}", "write for example 2", node)
        return 0
    return int(text)


def _duration(reader: Reader, node: yaml.Node | None, key: str) -> int | None:
    text = reader.text(node, key)
    if not text:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        reader.report(key, str(error), _DURATION, node)
        return None
