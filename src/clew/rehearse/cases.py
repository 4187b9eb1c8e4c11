"""Written cases: what happens on a timeline, and which alerts must come of it. YAML with every mistake named.

cases: stuck                  # the name of the file
rules: jeweller               # the shipped rules, or a path beside this file; flow likewise
play:
  an order that waits is told of:
    events:
      - {at: 0m, order: A-1, stage: SUBMITTED, path: b2c, service: shop-api}
    until: 2h
    alerts:
      - {rule: stuck, subject: "order:A-1", from: 30m}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import yaml

from clew.flow import default_flow, load_flow
from clew.flow.document import compose_document, failure, read_text
from clew.flow.durations import parse_duration
from clew.flow.nodes import Reader, did_you_mean, join
from clew.model.errors import RulesError
from clew.model.event import Outcome, StageEvent
from clew.model.flow import Flow
from clew.model.message import Delivery, Message, Settlement
from clew.model.rule import PipelineTrouble, RuleSet, SeriesKind
from clew.rehearse.told import Case, Counted, Expected, Finished, Heard, SpanTold, Told, Trouble
from clew.rules import default_rules, load_rules
from clew.rules.shapes import WORK
from clew.rules.values import Fields

MINUTE_NS = 60 * 10**9
SHIPPED = "jeweller"
"""The name that stands for the rules and the flow that ship with Clew."""

_BEGIN = "begin with 'cases: NAME' and 'play:' at the margin; see docs/write-rules.md"
_MONDAY_MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
EVENTS = {
    "order": ("stage", "path", "service", "flow", "outcome", "error", "hold", "due_in", "actor", "trace"),
    "span": ("service", "work", "lasts", "error", "http", "trace", "where"),
    "message": ("service", "order", "taken", "by", "queue", "settlement", "error", "trace"),
    "heard": ("for", "sender"),
    "count": ("per_minute", "for", "path", "service", "stage"),
    "clew": ("until",),
    "finished": ("stage", "took"),
}
_ALWAYS = ("at", "arrives", "times", "every")
_CASE_KEYS = ("rules", "events", "until", "every", "alerts", "incidents")
_BEFORE = re.compile(r"-\s*(.+)")


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The cases of a file, with the rules and the flow that they are played with. ``begin_ns`` is the moment 0."""

    name: str
    rules: RuleSet
    flow: Flow
    begin_ns: int
    cases: tuple[Case, ...]


def load_cases(path: Path | str) -> CaseFile:
    """The cases in a file. Raises RulesError or FlowError whose ``problems`` name every mistake."""
    path = Path(path)
    reader = Reader()
    root = compose_document(read_text(path, RulesError), str(path), "file of cases", _BEGIN, RulesError)
    top = Fields(reader, root, "", ("cases", "rules", "flow", "begin", "every", "play"))
    flow = default_flow() if top.text("flow") in ("", SHIPPED) else load_flow(path.parent / top.text("flow"))
    shipped = top.text("rules") in ("", SHIPPED)
    rules = default_rules() if shipped else load_rules(path.parent / top.text("rules"), [flow])
    begin_ns = _begin(top)
    every_ns = top.length("every") or MINUTE_NS
    plays = reader.mapping(top.body["play"], "play") if top.has("play") else {}
    if not plays:
        top.wrong("play", "no cases", "write one below 'play:'")
    names = [rule.name for rule in rules.rules]
    cases = tuple(_Story(reader, name, node, names, begin_ns, every_ns).read() for name, node in plays.items())
    if reader.problems:
        raise failure(str(path), reader.problems, RulesError)
    return CaseFile(top.text("cases") or path.stem, rules, flow, begin_ns, cases)


def _begin(top: Fields) -> int:
    text = top.text("begin")
    moment = _MONDAY_MORNING
    try:
        moment = datetime.fromisoformat(text) if text else moment
    except ValueError:
        top.wrong("begin", f"{text!r} is no moment", "write for example 2026-03-02T08:00:00Z")
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 10**9


class _Story:
    """Reads one case; moments in it count from the beginning of all."""

    def __init__(
        self, reader: Reader, name: str, node: yaml.Node, rules: list[str], begin_ns: int, every_ns: int
    ) -> None:
        self._reader, self._rules, self._begin_ns, self._every_ns = reader, rules, begin_ns, every_ns
        self._name = name
        self._fields = Fields(reader, node, join("play", name), _CASE_KEYS)

    def read(self) -> Case:
        fields = self._fields
        told = [each for key, node in self._items("events") for each in self._events(key, node)]
        alerts = tuple(each for key, node in self._items("alerts") for each in self._expected(key, node))
        until_ns = self._moment(fields, "until", None)
        last_ns = max([each.arrives_ns for each in told] + [self._begin_ns])
        return Case(
            name=self._name,
            rules=tuple(self._rule(name, fields, "rules") for name in fields.texts("rules")) or tuple(self._rules),
            told=tuple(told),
            until_ns=last_ns + 10 * MINUTE_NS if until_ns is None else until_ns,
            every_ns=fields.length("every") or self._every_ns,
            alerts=alerts,
            incidents=self._incidents(),
        )

    def _items(self, word: str) -> Iterator[tuple[str, yaml.Node]]:
        return self._reader.items(self._fields.body.get(word), self._fields.way(word))

    def _incidents(self) -> dict[str, int]:
        counts = {}
        for name, text in self._fields.mapping("incidents").items():
            self._rule(name, self._fields, "incidents")
            if not text.isdigit():
                self._fields.wrong("incidents", f"{text!r} is no number of incidents", "write for example {stuck: 1}")
            counts[name] = int(text) if text.isdigit() else 0
        return counts

    def _rule(self, name: str, fields: Fields, word: str) -> str:
        if name not in self._rules:
            fields.wrong(word, f"{name!r} is no rule of these", did_you_mean(name, self._rules))
        return name

    def _moment(self, fields: Fields, word: str, default: int | None) -> int | None:
        """A moment of the story: ``90m`` after its beginning, ``-28d`` before it."""
        text = fields.text(word)
        if not text:
            return default
        before = _BEFORE.fullmatch(text)
        try:
            length_ns = parse_duration(before[1] if before else text)
        except ValueError as error:
            fields.wrong(word, str(error), "write when it is from the beginning on: 0m, 90s, 2h30m, or -28d")
            return default
        return self._begin_ns + (-length_ns if before else length_ns)

    def _expected(self, key: str, node: yaml.Node) -> Iterator[Expected]:
        """The alert, or as many as events come ``times``: ``{n}`` in its subject is their number."""
        fields = Fields(self._reader, node, key, ("rule", "subject", "from", "to", "times", "every"))
        for word in ("rule", "subject", "from"):
            if not fields.has(word):
                fields.wrong("", f"no {word}", 'write for example {rule: stuck, subject: "order:A-1", from: 30m}')
        rule = self._rule(fields.text("rule"), fields, "rule") if fields.has("rule") else ""
        from_ns = self._moment(fields, "from", self._begin_ns) or self._begin_ns
        until_ns = self._moment(fields, "to", None)
        step_ns = fields.length("every", zero=True) or 0
        for number in range(fields.whole("times", 1)):
            later_ns = number * step_ns
            subject = fields.text("subject").replace("{n}", str(number + 1))
            yield Expected(rule, subject, from_ns + later_ns, None if until_ns is None else until_ns + later_ns)

    def _events(self, key: str, node: yaml.Node) -> Iterator[Told]:
        """The event as often as it comes: ``times``, each ``every`` after the one before; ``{n}`` is its number."""
        kinds = {name.value for name, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
        # An order may also be what a message is about.
        kind = next((each for each in reversed(EVENTS) if each in kinds), "order")
        fields = Fields(self._reader, node, key, (kind, *EVENTS[kind], *_ALWAYS))
        if not fields.has(kind):
            fields.wrong("", "an event of nothing", f"write one of {', '.join(EVENTS)}")
            return
        at_ns = self._moment(fields, "at", self._begin_ns) or self._begin_ns
        arrives_ns = self._moment(fields, "arrives", None)
        step_ns = fields.length("every", zero=True) or 0
        make = getattr(self, f"_{kind}")
        for number in range(1, fields.whole("times", 1) + 1):
            moment_ns = at_ns + (number - 1) * step_ns
            seen_ns = moment_ns if arrives_ns is None else max(arrives_ns, moment_ns)
            told = make(fields, moment_ns, f"{key} {number}")
            yield Told(_numbered(told, number), max(seen_ns, _ends_ns(told)))

    def _order(self, fields: Fields, at_ns: int, unique: str) -> StageEvent:
        due_ns = fields.length("due_in", zero=True)
        hold = fields.text("hold")
        return StageEvent(
            order_id=fields.text("order"),
            stage=fields.text("stage"),
            at_ns=at_ns,
            service=fields.text("service"),
            trace_id=fields.text("trace") or _hex(unique, 16),
            span_id=_hex(unique, 8),
            flow=fields.text("flow"),
            path=fields.text("path"),
            actor=fields.text("actor"),
            outcome=fields.word("outcome", Outcome, Outcome.FAILED if fields.has("error") else Outcome.OK),
            error=fields.text("error"),
            hold=None if not hold else fields.flag("hold", True),
            due_at_ns=None if due_ns is None else at_ns + due_ns,
        )

    def _span(self, fields: Fields, at_ns: int, unique: str) -> SpanTold:
        work = fields.text("work") or "server"
        if work not in WORK:
            fields.wrong("work", f"{work!r} is no work of a span", did_you_mean(work, WORK))
        http = fields.text("http")
        if http and not http.isdigit():
            fields.wrong("http", f"{http!r} is no HTTP status", "write for example 500")
        error = fields.text("error")
        return SpanTold(
            service=fields.text("service"),
            operation=fields.text("span"),
            work=work,
            start_ns=at_ns,
            duration_ns=fields.length("lasts", zero=True) or 0,
            error="error" if error == "true" else error,
            http=int(http) if http.isdigit() else 0,
            trace_id=fields.text("trace") or _hex(unique, 16),
            attributes=fields.mapping("where"),
        )

    def _message(self, fields: Fields, at_ns: int, unique: str) -> Message:
        trace_id = fields.text("trace") or _hex(unique, 16)
        taken_ns = self._moment(fields, "taken", None)
        deliveries: tuple[Delivery, ...] = ()
        if taken_ns is not None:
            settled = fields.word("settlement", Settlement, Settlement.ACK)
            named = f"{fields.text('message')}:{fields.text('queue')}".rstrip(":")
            by = Delivery(
                trace_id, _hex(f"{unique} taken", 8), taken_ns, taken_ns, fields.text("by"), named,
                fields.text("queue"), settled, fields.text("error"),
            )  # fmt: skip
            deliveries = (by,)
        return Message(
            trace_id, _hex(unique, 8), at_ns, fields.text("service"), fields.text("message"),
            order_ids=(fields.text("order"),) if fields.has("order") else (),
            error="" if deliveries else fields.text("error"), deliveries=deliveries, received_ns=at_ns,
        )  # fmt: skip

    def _heard(self, fields: Fields, at_ns: int, _: str) -> Heard:
        return Heard(fields.text("heard"), fields.text("sender"), at_ns, fields.length("for") or MINUTE_NS)

    def _count(self, fields: Fields, at_ns: int, _: str) -> Counted:
        kind = fields.word("count", SeriesKind, SeriesKind.CANCELLED)
        name = fields.text("path") or fields.text("service")
        return Counted(
            kind, name, at_ns, fields.length("for") or MINUTE_NS, fields.number("per_minute", 1.0), fields.text("stage")
        )

    def _clew(self, fields: Fields, at_ns: int, _: str) -> Trouble:
        trouble = fields.word("clew", PipelineTrouble, PipelineTrouble.NOT_READY)
        return Trouble(trouble, at_ns, self._moment(fields, "until", None))

    def _finished(self, fields: Fields, _at_ns: int, _: str) -> Finished:
        return Finished(fields.text("stage"), fields.whole("finished", 1), fields.length("took") or MINUTE_NS)


def _ends_ns(told: object) -> int:
    """When something can be told at the earliest: a span when it ends."""
    return told.end_ns if isinstance(told, SpanTold) else 0


def _numbered(told: object, number: int) -> object:
    """``{n}`` in the id of an order is its number."""
    if isinstance(told, StageEvent) and "{n}" in told.order_id:
        return told._replace(order_id=told.order_id.replace("{n}", str(number)))
    if isinstance(told, Message) and any("{n}" in each for each in told.order_ids):
        return replace(told, order_ids=tuple(each.replace("{n}", str(number)) for each in told.order_ids))
    return told


def _hex(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()
