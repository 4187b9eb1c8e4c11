"""What a rule finds in spans of the last minutes: spans that shouldn't be, slow ones, and a budget that burns.

The numbers are measured by the store; here they are held against the rule. Where a rule has a recovery bound, what is
between it and the rule's own bound is found as well: it keeps an alert firing that fires (clew.notify.alerting).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clew.journey.words import in_short
from clew.model.alert import Finding
from clew.model.lengths import ago, how_brief, how_long
from clew.model.rule import BurnRate, By, Rule, Slow, SpanCondition, SpansSeen
from clew.model.watched import Burned, SpanExample, SpanGroup

_SECOND_NS = 10**9


def spans_seen(rule: Rule, shape: SpansSeen, groups: Iterable[SpanGroup], now_ns: int) -> list[Finding]:
    """A finding for each group with at least as many spans as the rule asks for."""
    found = []
    for group in groups:
        subject = _subject(group, shape.by, rule.name)
        if group.spans < _recovery(rule, shape.at_least):
            continue
        many = "a span" if group.spans == 1 else f"{group.spans:,} spans"
        what = f"{_who(group)}: {many} {_words(shape.spans)} within {how_long(shape.window_ns)}"
        last = f", the last {ago(group.last_ns, now_ns)}{_example_words(group.examples)}"
        found.append(_finding(rule, group, subject, what + last, group.first_ns, group.spans, shape.at_least))
    return found


def slow(rule: Rule, shape: Slow, groups: Iterable[SpanGroup]) -> list[Finding]:
    """A finding for each group whose quantile of durations is above the bound; ``value`` and ``bound`` are seconds."""
    found = []
    for group in groups:
        subject = _subject(group, shape.by, rule.name)
        bound_ns = round(_recovery(rule, shape.above_ns / _SECOND_NS) * _SECOND_NS)
        if group.quantile_ns is None or group.spans < shape.at_least or group.quantile_ns <= bound_ns:
            continue
        share = f"{shape.quantile:.4%}".rstrip("0%").rstrip(".")
        took = f"{100 - float(share):g} % of {group.spans:,} spans took over {how_brief(group.quantile_ns)}"
        within = f"within {how_long(shape.window_ns)}, allowed {how_brief(shape.above_ns)}"
        words = f"{_who(group)}: {took} {within}{_example_words(group.examples)}"
        value, bound = group.quantile_ns / _SECOND_NS, shape.above_ns / _SECOND_NS
        found.append(_finding(rule, group, subject, words, group.first_ns, value, bound))
    return found


def burning(rule: Rule, shape: BurnRate, burned: Iterable[Burned], now_ns: int) -> list[Finding]:
    """A finding for each service that burns its budget in both windows of any pair; ``value`` is how many times too
    fast in the long one.

    ``burned`` has of each pair the long window, then the short one.
    """
    found = []
    for each in burned:
        for index, pair in enumerate(shape.windows):
            rates = [_burn_rate(shape, each, 2 * index + place) for place in (0, 1)]
            bad, spans = each.bad[2 * index], each.spans[2 * index]
            if min(rates) < pair.rate or bad < shape.at_least:
                continue
            words = (
                f"{each.service}: {bad:,} of {spans:,} spans within {how_long(pair.long_ns)} {_words(shape.bad)}, "
                f"{rates[0]:.1f} times what the goal of {shape.goal * 100:g} % allows"
            )
            group = SpanGroup(each.service, "", bad, now_ns - pair.short_ns, now_ns, None, each.examples)
            subject = f"service:{each.service}"
            words += _example_words(each.examples)
            found.append(_finding(rule, group, subject, words, now_ns - pair.short_ns, rates[0], pair.rate))
            break
    return found


def _burn_rate(shape: BurnRate, burned: Burned, index: int) -> float:
    spans = burned.spans[index]
    return round(burned.bad[index] / spans / (1 - shape.goal), 9) if spans else 0.0


def _recovery(rule: Rule, bound: float) -> float:
    return bound if rule.recover_below is None else min(bound, rule.recover_below)


def _subject(group: SpanGroup, by: Collection[By], name: str) -> str:
    """The same from look to look: the operation, the service, or the rule where nothing is told apart."""
    if By.OPERATION in by:
        return f"operation:{group.service}/{group.operation}" if group.service else f"operation:{group.operation}"
    return f"service:{group.service}" if group.service else f"spans:{name}"


def _who(group: SpanGroup) -> str:
    return " ".join(each for each in (group.service, group.operation) if each) or "all services"


def _words(condition: SpanCondition) -> str:
    """What is wrong with the spans of a condition."""
    words = []
    if condition.http_from or condition.http_to:
        one = condition.http_from == condition.http_to
        span = f"{condition.http_from}" if one else f"{condition.http_from} to {condition.http_to}"
        words.append(f"answered HTTP {span}")
    if condition.errors_only:
        words.append("failed")
    if condition.longer_than_ns:
        words.append(f"took over {how_brief(condition.longer_than_ns)}")
    told = [f"{name} {value}".strip() for name, value in condition.where.items()]
    if told:
        words.append(f"with {', '.join(told)}")
    return " and ".join(words) or "came"


def _example_words(examples: Iterable[SpanExample]) -> str:
    """The best example: what it did, how it ended, and its trace."""
    example = next(iter(examples), None)
    if example is None:
        return ""
    ended = [f"HTTP {example.http}" if example.http else "", in_short(example.error), how_brief(example.duration_ns)]
    return f": {example.operation} ({', '.join(each for each in ended if each)}), trace {example.trace_id}"


def _finding(
    rule: Rule, group: SpanGroup, subject: str, words: str, since_ns: int, value: float, bound: float
) -> Finding:
    error = next((each.error for each in group.examples if each.error), "")
    labels = {"service": group.service, "operation": group.operation, "error": in_short(error)}
    return Finding(
        rule=rule.name,
        subject=subject,
        reason=words,
        since_ns=since_ns,
        labels={name: text for name, text in labels.items() if text},
        value=float(value),
        bound=float(bound),
        trace_ids=tuple(each.trace_id for each in group.examples),
        owner=group.service,
    )
