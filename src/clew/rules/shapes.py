"""The shapes of rules: what each looks for, read from the mapping below its key.

orders        orders of these verdicts                  in_stage    too long in a stage
not_reached   a milestone that doesn't come             too_early   one that came too soon
on_hold       too long on hold                          projected_late  will probably end after the due date
deviations    orders that left their flow
spans         spans that shouldn't be                   slow        a quantile of durations above a bound
surge         far more than in past weeks               burn_rate   a goal is being missed too fast
silence       telemetry that should come and doesn't    queue       messages that nobody takes
clew          Clew's own pipeline
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import yaml

from clew.flow.nodes import Reader
from clew.model.journey import DeviationKind, LostReason, VerdictKind
from clew.model.rule import (
    BurnRate,
    BurnWindow,
    By,
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    Pipeline,
    PipelineTrouble,
    ProjectedLate,
    QueueWaits,
    SeriesKind,
    Shape,
    Silence,
    Slow,
    SourceKind,
    SpanCondition,
    SpansSeen,
    Surge,
    TooEarly,
)
from clew.rules.values import Fields

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
WORK = ("server", "consumer", "client", "producer", "database", "internal")
"""What a span did, in the words of clew.store.minutes.Work."""

BURN_WINDOWS = (BurnWindow(HOUR_NS, 5 * MINUTE_NS, 14.4), BurnWindow(6 * HOUR_NS, 30 * MINUTE_NS, 6.0))
"""The pairs that page in Google's SRE Workbook, chapter 5, table 5-8: 2 % of a month's budget in 1 h, 5 % in 6 h."""

_ORDER_KEYS = ("flows", "stages", "paths")
_SPAN_KEYS = ("services", "operations", "work", "errors_only", "http", "longer_than", "where")
_HTTP = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def _orders(fields: Fields) -> OrderFilter:
    return OrderFilter(fields.texts("flows"), fields.texts("stages"), fields.texts("paths"))


def _judged(reader: Reader, node: yaml.Node, key: str) -> Judged:
    fields = Fields(reader, node, key, ("verdicts", "lost_reasons", *_ORDER_KEYS))
    verdicts = fields.words("verdicts", VerdictKind)
    if not fields.has("verdicts"):
        fields.wrong("", "no verdicts", "name some, for example 'verdicts: [stuck]'")
    reasons = fields.words("lost_reasons", LostReason)
    if reasons and verdicts and VerdictKind.LOST not in verdicts:
        fields.wrong("lost_reasons", "reasons of a loss without the verdict lost", "add lost to verdicts, or remove it")
    return Judged(verdicts, reasons, _orders(fields))


def _in_stage(reader: Reader, node: yaml.Node, key: str) -> InStage:
    fields = Fields(reader, node, key, ("longer_than", "used", *_ORDER_KEYS))
    fields.one_of("longer_than", "used")
    used = fields.share("used", 0.8) if fields.has("used") else None
    return InStage(fields.length("longer_than"), used, _orders(fields))


def _not_reached(reader: Reader, node: yaml.Node, key: str) -> NotReached:
    fields = Fields(reader, node, key, ("stage", "within", "of", "before_due", "after_due", *_ORDER_KEYS))
    _need_stage(fields)
    match fields.one_of("within", "before_due", "after_due"):
        case "before_due":
            within_ns = -(fields.length("before_due", zero=True) or 0)
        case "after_due":
            within_ns = fields.length("after_due", zero=True) or 0
        case _:
            within_ns = fields.length("within") or HOUR_NS
    _need_of(fields)
    return NotReached(fields.text("stage"), within_ns, fields.text("of"), _orders(fields))


def _too_early(reader: Reader, node: yaml.Node, key: str) -> TooEarly:
    fields = Fields(reader, node, key, ("stage", "within", "of", "before_due", *_ORDER_KEYS))
    _need_stage(fields)
    word = fields.one_of("within", "before_due") or "within"
    _need_of(fields)
    return TooEarly(fields.text("stage"), fields.length(word) or MINUTE_NS, fields.text("of"), _orders(fields))


def _need_stage(fields: Fields) -> None:
    if not fields.text("stage"):
        fields.wrong("", "no stage", "name the milestone, for example 'stage: SHIPPED'")


def _need_of(fields: Fields) -> None:
    """``within`` counts from the milestone ``of``, everything else from the due date."""
    if fields.has("within") and not fields.text("of"):
        fields.wrong("within", "a time within, and nothing that it counts from", "name a milestone with 'of'")
    if fields.has("of") and not fields.has("within"):
        fields.wrong("of", "the due date counts here, no milestone", "remove 'of', or write 'within'")


def _on_hold(reader: Reader, node: yaml.Node, key: str) -> OnHold:
    fields = Fields(reader, node, key, ("longer_than", "before_due", *_ORDER_KEYS))
    fields.one_of("longer_than", "before_due")
    return OnHold(fields.length("longer_than"), fields.length("before_due"), _orders(fields))


def _projected_late(reader: Reader, node: yaml.Node, key: str) -> ProjectedLate:
    fields = Fields(reader, node, key, ("margin", "share", *_ORDER_KEYS))
    return ProjectedLate(fields.length("margin", zero=True) or 0, fields.share("share", 0.5), _orders(fields))


def _deviates(reader: Reader, node: yaml.Node, key: str) -> Deviates:
    fields = Fields(reader, node, key, ("kinds", "at", *_ORDER_KEYS))
    return Deviates(fields.words("kinds", DeviationKind), fields.texts("at"), _orders(fields))


def _spans(reader: Reader, node: yaml.Node, key: str) -> SpansSeen:
    fields = Fields(reader, node, key, (*_SPAN_KEYS, "window", "at_least", "by"))
    spans = _condition(fields)
    if spans == SpanCondition():
        mend = "write for example errors_only, http, longer_than or where"
        fields.wrong("", "no condition: every span would be found", mend)
    window_ns = fields.length("window") or 5 * MINUTE_NS
    return SpansSeen(spans, window_ns, fields.whole("at_least", 1), _by(fields))


def _slow(reader: Reader, node: yaml.Node, key: str) -> Slow:
    fields = Fields(reader, node, key, (*_SPAN_KEYS, "quantile", "above", "window", "at_least", "by"))
    if not fields.has("above"):
        fields.wrong("", "no bound", "write for example 'above: 1s'")
    return Slow(
        _condition(fields),
        fields.share("quantile", 0.95),
        fields.length("above") or 10**9,
        fields.length("window") or 5 * MINUTE_NS,
        fields.whole("at_least", 5),
        _by(fields),
    )


def _by(fields: Fields) -> tuple[By, ...]:
    return fields.words("by", By) or (By.SERVICE,)


def _condition(fields: Fields) -> SpanCondition:
    work = fields.texts("work")
    for text in work:
        if text not in WORK:
            fields.wrong("work", f"{text!r} is no work of a span", f"known here: {', '.join(WORK)}")
    operations = fields.texts("operations")
    if any("*" in text[:-1] for text in operations):
        fields.wrong("operations", "'*' is read at the end only", "write the beginning of the name, then '*'")
    http_from, http_to = _http(fields)
    return SpanCondition(
        services=fields.texts("services"),
        operations=operations,
        work=tuple(text for text in work if text in WORK),
        errors_only=fields.flag("errors_only", False),
        http_from=http_from,
        http_to=http_to,
        longer_than_ns=fields.length("longer_than") or 0,
        where=fields.mapping("where"),
    )


def _http(fields: Fields) -> tuple[int, int]:
    """``5xx``, ``503`` or ``500-503``."""
    text = fields.text("http")
    if not text:
        return 0, 0
    form = _HTTP.fullmatch(text)
    if form is None:
        fields.wrong("http", f"{text!r} is no HTTP status", "write 5xx, 503 or 500-503")
        return 0, 0
    if form[1]:
        return int(form[1]) * 100, int(form[1]) * 100 + 99
    return int(form[2]), int(form[3] or form[2])


def _surge(reader: Reader, node: yaml.Node, key: str) -> Surge:
    fields = Fields(reader, node, key, ("of", "stage", "spans", "at_least", "times"))
    if not fields.has("of"):
        fields.wrong("", "nothing to count", "write for example 'of: cancelled'")
    kind = fields.word("of", SeriesKind, SeriesKind.CANCELLED)
    for word, needed in (("stage", SeriesKind.STAGE), ("spans", SeriesKind.SPANS)):
        if (kind is needed) is not fields.has(word):
            mend = f"write '{word}' with 'of: {needed}', and not otherwise"
            fields.wrong(word, f"'{word}' goes with 'of: {needed}'", mend)
    spans = _condition(Fields(reader, fields.body.get("spans"), fields.way("spans"), _SPAN_KEYS))
    return Surge(kind, fields.text("stage"), spans, fields.whole("at_least", 5), fields.number("times", 2.0))


def _burn_rate(reader: Reader, node: yaml.Node, key: str) -> BurnRate:
    fields = Fields(reader, node, key, ("spans", "bad", "goal", "windows", "at_least"))
    if not fields.has("goal"):
        fields.wrong("", "no goal", "write the wanted share of good ones, for example 'goal: 99.9%'")
    bad = _condition(Fields(reader, fields.body.get("bad"), fields.way("bad"), _SPAN_KEYS))
    if bad == SpanCondition():
        fields.wrong("bad", "nothing says which spans are bad", "write for example 'bad: {http: 5xx}'")
    spans = _condition(Fields(reader, fields.body.get("spans"), fields.way("spans"), _SPAN_KEYS))
    windows = tuple(
        _burn_window(reader, item, full)
        for full, item in reader.items(fields.body.get("windows"), fields.way("windows"))
    )
    return BurnRate(spans, bad, fields.share("goal", 0.999), windows or BURN_WINDOWS, fields.whole("at_least", 5))


def _burn_window(reader: Reader, node: yaml.Node, key: str) -> BurnWindow:
    fields = Fields(reader, node, key, ("long", "short", "rate"))
    for word in ("long", "short", "rate"):
        if not fields.has(word):
            fields.wrong("", f"no {word}", "write for example {long: 1h, short: 5m, rate: 14.4}")
    long_ns, short_ns = fields.length("long") or HOUR_NS, fields.length("short") or 5 * MINUTE_NS
    if short_ns >= long_ns:
        fields.wrong("short", "the short window isn't shorter than the long one", "write for example a twelfth of it")
    return BurnWindow(long_ns, short_ns, fields.number("rate", 14.4))


def _silence(reader: Reader, node: yaml.Node, key: str) -> Silence:
    fields = Fields(reader, node, key, ("source", "times", "at_least", "only", "except"))
    return Silence(
        fields.word("source", SourceKind, SourceKind.SERVICE),
        fields.number("times", 1.5),
        fields.length("at_least") or 3 * MINUTE_NS,
        fields.texts("only"),
        fields.texts("except"),
    )


def _queue(reader: Reader, node: yaml.Node, key: str) -> QueueWaits:
    fields = Fields(reader, node, key, ("longer_than", "at_least", "queues"))
    if not fields.has("longer_than"):
        fields.wrong("", "no time to wait", "write for example 'longer_than: 10m'")
    return QueueWaits(
        fields.length("longer_than") or 10 * MINUTE_NS, fields.whole("at_least", 1), fields.texts("queues")
    )


def _clew(reader: Reader, node: yaml.Node, key: str) -> Pipeline:
    fields = Fields(reader, node, key, ("troubles", "behind"))
    troubles = fields.words("troubles", PipelineTrouble) or tuple(PipelineTrouble)
    return Pipeline(troubles, fields.length("behind") or MINUTE_NS)


SHAPES: Mapping[str, Callable[[Reader, yaml.Node, str], Shape]] = {
    "orders": _judged,
    "in_stage": _in_stage,
    "not_reached": _not_reached,
    "too_early": _too_early,
    "on_hold": _on_hold,
    "projected_late": _projected_late,
    "deviations": _deviates,
    "spans": _spans,
    "slow": _slow,
    "surge": _surge,
    "burn_rate": _burn_rate,
    "silence": _silence,
    "queue": _queue,
    "clew": _clew,
}
"""What reads a shape, by its key in YAML."""

NAMES: Mapping[type, str] = {
    Judged: "orders", InStage: "in_stage", NotReached: "not_reached", TooEarly: "too_early", OnHold: "on_hold",
    ProjectedLate: "projected_late", Deviates: "deviations", SpansSeen: "spans", Slow: "slow", Surge: "surge",
    BurnRate: "burn_rate", Silence: "silence", QueueWaits: "queue", Pipeline: "clew",
}  # fmt: skip
"""The key of a shape in YAML."""
