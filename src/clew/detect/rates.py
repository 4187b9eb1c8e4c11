"""Findings of surges and of telemetry silence, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from clew.detect.silence import EVERYBODY, Activity, Silent
from clew.detect.surge import Surging
from clew.model.alert import Finding
from clew.model.rule import SeriesKind, SourceKind, SpanCondition, Surge

_MINUTE_NS = 60 * 10**9
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def surge_finding(rule: str, surge: Surge, name: str, surging: Surging) -> Finding:
    """The finding of a surging series; ``name`` is its path or service. Times in it are UTC."""
    by_path = surge.series in (SeriesKind.CANCELLED, SeriesKind.FAILED, SeriesKind.STAGE)
    labels = {"path" if by_path else "service": name} if name else {}
    if surge.series is SeriesKind.STAGE:
        labels["stage"] = surge.stage
    begin_ns = surging.since_minute * _MINUTE_NS
    when = datetime.fromtimestamp(surging.minute * 60, UTC)
    usual = f"at this hour ({_DAYS[when.weekday()]} {when:%H}:00)" if surging.weeks else "by what came before"
    whose = f" {'on path' if by_path else 'of'} {name}" if name else ""
    return Finding(
        rule=rule,
        subject=f"series:{series_name(surge, name)}",
        reason=(
            f"{surging.value} {_counted(surge, surging.value)}{whose} in {surging.window} minutes, "
            f"{_about(surging.expected)} expected {usual}, since {_time(begin_ns, surging.minute)} UTC"
        ),
        since_ns=begin_ns,
        labels=labels,
        value=float(surging.value),
        bound=float(surging.bound),
        owner=labels.get("service", ""),
    )


def series_name(surge: Surge, name: str) -> str:
    """The name of a series, the same from look to look, and another one where something else is counted."""
    of = {SeriesKind.STAGE: f"/{surge.stage}", SeriesKind.SPANS: f"/{_spans(surge.spans)}"}.get(surge.series, "")
    return f"{surge.series}{of}/{name}"


def silence_findings(
    rule: str, source: SourceKind, silent: Mapping[str, Silent], sources: Mapping[str, Activity], known: int
) -> list[Finding]:
    """The findings of silent sources, by name; ``known`` sources there are."""
    return [_silence_finding(rule, source, name, each, sources, known) for name, each in sorted(silent.items())]


def _silence_finding(
    rule: str, source: SourceKind, name: str, silent: Silent, sources: Mapping[str, Activity], known: int
) -> Finding:
    usual = f"it is usually active in {max(1, round(silent.missed))} of such minutes"
    if name == EVERYBODY:
        subject, labels = "service:*", {}
        reason = (
            f"none of {known} services sent telemetry for {_lasting(silent.minutes)}: "
            "the collector or the way to Clew needs a look"
        )
    else:
        service = sources[name].service or name
        subject = f"{source}:{name}"
        labels = {"service": service}
        whose = f"sender {name} of {service}" if source is SourceKind.SENDER else name
        reason = f"{whose} sent no telemetry for {_lasting(silent.minutes)}; {usual}"
    return Finding(
        rule=rule,
        subject=subject,
        reason=reason,
        since_ns=silent.last_ns,
        labels=labels,
        value=round(silent.missed, 2),
        bound=round(silent.bound, 2),
        owner=labels.get("service", ""),
    )


def _counted(surge: Surge, value: int) -> str:
    one = value == 1
    match surge.series:
        case SeriesKind.CANCELLED:
            return "cancellation" if one else "cancellations"
        case SeriesKind.FAILED:
            return "failed attempt" if one else "failed attempts"
        case SeriesKind.LOST:
            return "lost message" if one else "lost messages"
        case SeriesKind.STAGE:
            return f"{'order' if one else 'orders'} entering {surge.stage}"
        case SeriesKind.SPANS:
            return f"{'span' if one else 'spans'} ({_spans(surge.spans)})"


def _spans(condition: SpanCondition) -> str:
    """A condition in a few words, the services aside."""
    http = f"{condition.http_from or ''}-{condition.http_to or ''}"
    said = (
        "errors" if condition.errors_only else "",
        f"HTTP {http}" if http != "-" else "",
        f"longer than {_milliseconds(condition.longer_than_ns)} ms" if condition.longer_than_ns else "",
        ", ".join(condition.work),
        ", ".join(condition.operations),
        ", ".join(f"{key}={value}" if value else key for key, value in sorted(condition.where.items())),
    )
    return "; ".join(each for each in said if each) or "all"


def _milliseconds(duration_ns: int) -> str:
    """To the nanosecond."""
    whole, rest = divmod(duration_ns, 10**6)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


def _about(expected: float) -> str:
    return f"{expected:.1f}" if expected < 9.95 else f"{expected:.0f}"


def _time(at_ns: int, minute: int) -> str:
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    same_day = at.date() == datetime.fromtimestamp(minute * 60, UTC).date()
    return f"{at:%H:%M}" if same_day else f"{at:%Y-%m-%d %H:%M}"


def _lasting(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {rest} min" if hours else f"{minutes} min"
