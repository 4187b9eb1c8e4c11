"""YAML to Flow; a wrong file is answered with every mistake at once, each with its line and mend.

text --compose--> nodes --read--> Flow (with gaps) --check--> Flow, or all problems of both steps
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import yaml

from clew.flow.acceptances import read_acceptances
from clew.flow.check import Fault, check_flow
from clew.flow.document import compose_document, failure, read_text
from clew.flow.durations import parse_duration
from clew.flow.nodes import Reader, did_you_mean, is_empty, join
from clew.model.errors import FlowError
from clew.model.flow import ANY_PATH, Acceptance, Flow, Limit, Stage, StageRule, Terminal

DEFAULT_WARN = "80%"
"""Jeopardy begins at this share of a limit when the flow doesn't say otherwise."""

_BEGIN = "declare stages: begin with 'flow: NAME' and 'stages:' at the margin; see docs/write-a-flow.md"

FLOW_KEYS = ("flow", "version", "singular", "plural", "paths", "stages", "transit", "holds", "due", "accept")
STAGE_KEYS = ("meaning", "service", "owner", "limit", "warn", "next", "terminal", "rules")
RULE_KEYS = ("service", "span", "where", "status", "order_attribute", "order_url", "outcome", "path")


def parse_flow(text: str, name: str = "<flow>") -> Flow:
    """The flow that a YAML text declares.

    Raises FlowError whose ``problems`` name every mistake; ``name`` says in messages whose they are.
    """
    reader = Reader()
    root = compose_document(text, name, "flow", _BEGIN, FlowError)
    flow = _read_flow(reader, root)
    noted = tuple(problem.key for problem in reader.problems)
    for fault in check_flow(flow):
        if not any(_covers(key, fault) for key in noted):
            reader.report(fault.key, fault.cause, fault.mend)
    if reader.problems:
        raise failure(name, reader.problems, FlowError)
    return flow


def load_flow(path: Path | str) -> Flow:
    """The flow in a file; raises FlowError as `parse_flow`, and for a file that can't be read."""
    return parse_flow(read_text(Path(path), FlowError), str(path))


def default_flow() -> Flow:
    """The jeweller's flow that ships with Clew."""
    return parse_flow(default_flow_text(), "jeweller.yaml")


def default_flow_text() -> str:
    """The shipped flow as YAML, comments included: what a user copies to begin with."""
    return (files("clew.flow") / "jeweller.yaml").read_text(encoding="utf-8")


def _covers(noted: str, fault: Fault) -> bool:
    """Whether a mistake already noted causes this fault: the same place, or the ``next`` that a stage lost."""
    return noted == fault.key or noted.startswith((f"{fault.key}.next", f"{fault.key}.terminal"))


def _read_flow(reader: Reader, root: yaml.Node) -> Flow:
    top = reader.mapping(root, "", FLOW_KEYS)
    stages = _read_stages(reader, top.get("stages"))
    paths = {
        path: reader.texts(node, join("paths", path))
        for path, node in _entries(reader, top.get("paths"), "paths").items()
    }
    if not paths and stages:
        paths = {"default": (stages[0].name,)}
    holds = _entries(reader, top.get("holds"), "holds", ("limit",))
    due = _entries(reader, top.get("due"), "due", ("warn",))
    accepted = read_acceptances(reader, top.get("accept"))
    return Flow(
        name=reader.text(top.get("flow"), "flow"),
        version=reader.whole(top.get("version"), "version", 1),
        stages=stages,
        paths=paths,
        singular=reader.text(top.get("singular"), "singular") or "order",
        plural=reader.text(top.get("plural"), "plural") or "orders",
        transit_limits=_read_transit(reader, top.get("transit")),
        accepted=frozenset(accepted),
        hold_limit_ns=_duration(reader, holds.get("limit"), "holds.limit"),
        due_margin_ns=_duration(reader, due.get("warn"), "due.warn", suffix=" before") or 0,
        acceptances={text: said for text, said in accepted.items() if said != Acceptance()},
    )


def _entries(reader: Reader, node: yaml.Node | None, key: str, known: tuple[str, ...] = ()) -> dict[str, yaml.Node]:
    return {} if node is None else reader.mapping(node, key, known)


def _read_stages(reader: Reader, node: yaml.Node | None) -> tuple[Stage, ...]:
    entries = _entries(reader, node, "stages")
    return tuple(_read_stage(reader, name, body) for name, body in entries.items())


def _read_stage(reader: Reader, name: str, node: yaml.Node) -> Stage:
    key = join("stages", name)
    body = reader.mapping(node, key, STAGE_KEYS)
    return Stage(
        name=name,
        service=reader.text(body.get("service"), join(key, "service")),
        owner=reader.text(body.get("owner"), join(key, "owner")),
        limits=_read_limits(reader, body, key),
        next=reader.texts(body.get("next"), join(key, "next")),
        terminal=_read_terminal(reader, body.get("terminal"), join(key, "terminal")),
        rules=tuple(_read_rule(reader, name, *entry) for entry in reader.items(body.get("rules"), join(key, "rules"))),
        meaning=reader.text(body.get("meaning"), join(key, "meaning")),
    )


def _read_terminal(reader: Reader, node: yaml.Node | None, key: str) -> Terminal | None:
    text = reader.text(node, key)
    if not text:
        return None
    kinds = [kind.value for kind in Terminal]
    if text not in kinds:
        reader.report(key, f"{text!r} is no way to end", did_you_mean(text, kinds), node)
        return Terminal.CLOSED
    return Terminal(text)


def _read_limits(reader: Reader, body: Mapping[str, yaml.Node], key: str) -> dict[str, Limit]:
    limit_key, warn_key = join(key, "limit"), join(key, "warn")
    allowed = _by_path(reader, body.get("limit"), limit_key)
    warnings = _by_path(reader, body.get("warn"), warn_key)
    limits: dict[str, Limit] = {}
    for path, (full, node) in allowed.items():
        allowed_ns = _duration(reader, node, full)
        if allowed_ns is None:
            continue
        warn = warnings.get(path) or warnings.get(ANY_PATH)
        text = reader.text(warn[1], warn[0]) if warn else DEFAULT_WARN
        try:
            limits[path] = Limit(allowed_ns, _warn_ns(text, allowed_ns))
        except ValueError as error:
            full, node = warn or (full, node)
            reader.report(
                full, str(error), f"write a share such as {DEFAULT_WARN}, or a margin such as '10m before'", node
            )
            limits[path] = Limit(allowed_ns, allowed_ns * 8 // 10)
    for path, (full, node) in warnings.items():
        if path not in allowed and (path != ANY_PATH or not allowed):
            reader.report(full, "a warning without a limit", "give the stage a limit, or remove this", node)
    return limits


def _by_path(reader: Reader, node: yaml.Node | None, key: str) -> dict[str, tuple[str, yaml.Node]]:
    """The value for each path with its key; a plain value is for any path."""
    if node is None:
        return {}
    if isinstance(node, yaml.MappingNode):
        return {path: (join(key, path), value) for path, value in reader.mapping(node, key).items()}
    return {ANY_PATH: (key, node)}


def _warn_ns(text: str, allowed_ns: int) -> int:
    """The dwell at which jeopardy begins: from a share, from a margin counted back, or as it is."""
    share = text.removesuffix("%").strip()
    if text.endswith("%"):
        if not (share.isascii() and share.isdigit() and len(share) <= 2):
            raise ValueError(f"the warning {text!r} is not a share from 0% to 99%")
        return allowed_ns * int(share) // 100
    length_ns = parse_duration(text.removesuffix("before").strip())
    if length_ns >= allowed_ns:
        raise ValueError(f"the warning {text!r} is not inside the limit")
    return allowed_ns - length_ns if text.endswith("before") else length_ns


def _duration(reader: Reader, node: yaml.Node | None, key: str, suffix: str = "") -> int | None:
    """A length of time above zero, or None when absent or wrong."""
    if node is None:
        return None
    text = reader.text(node, key).removesuffix(suffix)
    mend = "write for example 90s, 30m, 4h, 2d or 1h30m"
    if not text:
        if is_empty(node):
            reader.report(key, "a length of time is missing", mend, node)
        return None
    try:
        length_ns = parse_duration(text)
    except ValueError as error:
        reader.report(key, str(error), mend, node)
        return None
    if length_ns == 0:
        reader.report(key, "a length of time must be above zero", mend, node)
        return None
    return length_ns


def _read_transit(reader: Reader, node: yaml.Node | None) -> dict[str, int]:
    """Transit limits by destination; a plain value is for all destinations."""
    if node is None:
        return {}
    entries = reader.mapping(node, "transit") if isinstance(node, yaml.MappingNode) else {"*": node}
    keyed = {destination: (join("transit", destination), value) for destination, value in entries.items()}
    read = {destination: _duration(reader, value, key) for destination, (key, value) in keyed.items()}
    return {destination: length_ns for destination, length_ns in read.items() if length_ns is not None}


def _read_rule(reader: Reader, stage: str, key: str, node: yaml.Node) -> StageRule:
    body = reader.mapping(node, key, RULE_KEYS)
    texts = {name: reader.text(body.get(name), join(key, name)) for name in RULE_KEYS if name != "where"}
    where_key = join(key, "where")
    where = {
        name: reader.text(value, join(where_key, name))
        for name, value in _entries(reader, body.get("where"), where_key).items()
    }
    for name, allowed in (("status", ("ok", "error")), ("outcome", ("ok", "failed"))):
        if texts[name] and texts[name] not in allowed:
            reader.report(
                join(key, name), f"{texts[name]!r} is no {name}", did_you_mean(texts[name], allowed), body[name]
            )
            texts[name] = ""
    return StageRule(
        stage=stage,
        service=texts["service"],
        span=texts["span"],
        where=where,
        status=texts["status"],
        order_attribute=texts["order_attribute"] or ("" if texts["order_url"] else "order.id"),
        order_url=texts["order_url"],
        outcome=texts["outcome"] or "ok",
        path=texts["path"],
    )
