"""What a rule looks for, and when it alerts, in a few words."""

from __future__ import annotations

from typing import Any

from clew.flow.durations import render_duration
from clew.model.rule import (
    BurnRate,
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    Pipeline,
    ProjectedLate,
    QueueWaits,
    Rule,
    Silence,
    Slow,
    SpanCondition,
    SpansSeen,
    Surge,
    TooEarly,
)


def rule_told(rule: Rule) -> dict[str, Any]:
    """A rule as JSON has it; lengths of time are seconds."""
    return {
        "name": rule.name,
        "severity": rule.severity.value,
        "finds": rule_words(rule),
        "alerts": alert_words(rule),
        "title": rule.title,
        "labels": dict(rule.labels),
        "owner": rule.owner,
        "runbook": rule.runbook,
        "for_s": rule.for_ns / 1e9,
        "hits": rule.hits,
        "looks": rule.looks,
        "keep_firing_s": rule.keep_firing_ns / 1e9,
        "recover_below": rule.recover_below,
        "hours": rule.hours.name if rule.hours else "",
        "group_by": list(rule.group_by),
        "explained_by": [{"rule": each.rule, "equal": list(each.equal)} for each in rule.explained_by],
        "policy": rule.policy,
        "notifies": rule.notifies,
    }


def alert_words(rule: Rule) -> str:
    """When what is found becomes an alert, and alerts one incident; empty: at once, each one by itself."""
    said = (
        f"after {render_duration(rule.for_ns)}" if rule.for_ns else "",
        f"{rule.hits} of {rule.looks} looks" if rule.looks > 1 else "",
        f"in hours {rule.hours.name}" if rule.hours else "",
        f"by {', '.join(rule.group_by)}" if rule.group_by else "",
        "" if rule.notifies else "only tried",
    )
    return "; ".join(filter(None, said))


def rule_words(rule: Rule) -> str:
    """What the rule finds, such as ``orders that are stuck`` or ``spans of shop-api: HTTP 500-599``."""
    shape = rule.shape
    orders: OrderFilter | None = getattr(shape, "orders", None)
    picked = _picked(orders) if orders else ""
    match shape:
        case Judged(verdicts=verdicts, lost_reasons=reasons):
            why = f" ({_list(reasons)})" if reasons else ""
            return f"orders that are {_list(verdicts)}{why}{picked}"
        case InStage(longer_than_ns=longer_ns, used=used):
            how = (
                f"over {render_duration(longer_ns)}" if longer_ns is not None else f"over {used or 0:.0%} of the limit"
            )
            return f"orders in a stage {how}{picked}"
        case NotReached(stage=stage, within_ns=within_ns, of=of):
            return f"orders that didn't reach {stage} {_moment(within_ns, of, 'within')}{picked}"
        case TooEarly(stage=stage, within_ns=within_ns, of=of):
            after = (
                f"within {render_duration(within_ns)} of {of}"
                if of
                else f"over {render_duration(within_ns)} before due"
            )
            return f"orders that reached {stage} {after}{picked}"
        case OnHold(longer_than_ns=longer_ns, before_due_ns=before_ns):
            how = (
                f"over {render_duration(longer_ns)}"
                if longer_ns is not None
                else f"{render_duration(before_ns or 0)} before due"
            )
            return f"orders on hold {how}{picked}"
        case ProjectedLate(margin_ns=margin_ns, share=share):
            return f"orders projected to end over {render_duration(margin_ns)} late (share {share:.0%}){picked}"
        case Deviates(kinds=kinds, at=at):
            what = _list(kinds) if kinds else "any way"
            return f"orders that left their flow: {what}{f' {_list(at)}' if at else ''}{picked}"
        case _:
            return _others(rule)


def _others(rule: Rule) -> str:
    match rule.shape:
        case SpansSeen(spans=spans, window_ns=window_ns, at_least=least):
            return f"{least} or more spans within {render_duration(window_ns)}: {span_words(spans)}"
        case Slow(spans=spans, quantile=level, above_ns=above_ns, window_ns=window_ns):
            slow = f"{level * 100:g} % quantile over {render_duration(above_ns)} within {render_duration(window_ns)}"
            return f"{slow}: {span_words(spans)}"
        case Surge(series=kind, stage=stage, spans=spans, times=times):
            what = span_words(spans) if spans != SpanCondition() else stage
            return f"a surge of {' '.join(filter(None, (kind.value, what)))}, {times:g} times what is usual"
        case BurnRate(spans=spans, bad=bad, goal=goal):
            return f"the goal of {goal * 100:g} % is missed too fast: {span_words(bad)} of {span_words(spans)}"
        case Silence(source=source, only=only, except_=except_):
            picked = f" of {_list(only)}" if only else f" but {_list(except_)}" if except_ else ""
            return f"telemetry silence of a {source}{picked}"
        case QueueWaits(longer_than_ns=longer_ns, at_least=least, queues=queues):
            who = f" in {_list(queues)}" if queues else ""
            return f"{least} or more messages{who} that nobody takes for {render_duration(longer_ns)}"
        case Pipeline(troubles=troubles):
            return f"Clew itself: {_list(troubles)}"
        case shape:
            raise TypeError(f"{type(shape).__name__} is no shape of a rule")


def span_words(condition: SpanCondition) -> str:
    """Which spans a condition picks."""
    http = (
        f"{condition.http_from}-{condition.http_to}" if condition.http_from != condition.http_to else condition.http_to
    )
    parts = [
        _list(condition.services),
        _list(condition.work),
        _list(condition.operations),
        "errors" if condition.errors_only else "",
        f"HTTP {http}" if condition.http_to else "",
        f"over {render_duration(condition.longer_than_ns)}" if condition.longer_than_ns else "",
        _list([f"{name}={value}" if value else name for name, value in condition.where.items()]),
    ]
    return " ".join(filter(None, parts)) or "all spans"


def _moment(within_ns: int, of: str, word: str) -> str:
    if of:
        return f"{word} {render_duration(within_ns)} of {of}"
    return (
        f"{render_duration(abs(within_ns))} {'before' if within_ns < 0 else 'after'} due" if within_ns else "when due"
    )


def _picked(orders: OrderFilter) -> str:
    parts = [("of flow", orders.flows), ("in", orders.stages), ("of path", orders.paths)]
    return "".join(f" {word} {_list(names)}" for word, names in parts if names)


def _list(names: tuple[str, ...] | list[str] | tuple[object, ...]) -> str:
    return ", ".join(str(name).replace("_", " ") if not str(name).isupper() else str(name) for name in names)
