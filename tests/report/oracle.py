"""Every report once more, counted by hand in plain Python: slow, exact, and without a line of SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

SECOND = 10**9


def quantile(values, p):
    """Linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    whole, part = divmod(Fraction(p).limit_denominator(1000) * (len(ordered) - 1), 1)
    low = ordered[int(whole)]
    return float(low + (ordered[min(int(whole) + 1, len(ordered) - 1)] - low) * part) / SECOND


def mean(values):
    return sum(values) / len(values) / SECOND


def edges(orders):
    dwells, inside = defaultdict(list), defaultdict(set)
    for order in orders:
        for before, after in pairwise(order.visits):
            dwells[before.stage, after.stage].append(after.at_ns - before.at_ns)
            inside[before.stage, after.stage].add(order.order_id)
    return {
        edge: (
            len(found), len(inside[edge]), quantile(found, 0.5), quantile(found, 0.9), quantile(found, 0.95), mean(found),
        )
        for edge, found in dwells.items()
    }  # fmt: skip


def taken(orders, before, after):
    """Every time that the step was taken, the slowest first: minus its nanoseconds, the order, and when."""
    return sorted(
        (a.at_ns - b.at_ns, order.order_id, b.at_ns)
        for order in orders
        for a, b in pairwise(order.visits)
        if (a.stage, b.stage) == (before, after)
    )


def starts(orders):
    return Counter(order.stages[0] for order in orders)


def ends(orders):
    return Counter(order.stages[-1] for order in orders)


def variants(orders):
    found = defaultdict(list)
    for order in orders:
        found[order.stages].append(order.visits[-1].at_ns - order.visits[0].at_ns)
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    return [(stages, len(times), quantile(times, 0.5)) for stages, times in ranked]


def happy_path(orders):
    closed = Counter(order.stages for order in orders if order.terminal == "closed")
    return min(closed, key=lambda stages: (-closed[stages], len(stages), stages), default=None)


def dwells(orders, until_ns):
    """By stage the finished dwells and those that aren't over, in nanoseconds."""
    finished, waiting = defaultdict(list), defaultdict(list)
    for order in orders:
        for before, after in pairwise(order.visits):
            finished[before.stage].append(after.at_ns - before.at_ns)
        if not order.terminal:
            waiting[order.stages[-1]].append(max(0, until_ns - order.visits[-1].at_ns))
    return {stage: (finished[stage], waiting[stage]) for stage in finished.keys() | waiting.keys()}


def kaplan_meier(finished, waiting, p):
    """The shortest finished dwell at which the share that lasts longer is at most 1 - p, by the definition."""
    left = Fraction(1)
    for dwell in sorted(set(finished)):
        at_risk = sum(each >= dwell for each in (*finished, *waiting))
        left *= 1 - Fraction(finished.count(dwell), at_risk)
        if left <= 1 - Fraction(p).limit_denominator(1000):
            return dwell / SECOND
    return None


def throughput(orders):
    return [order.end.at_ns - order.visits[0].at_ns for order in orders if order.end]


def rework(orders):
    """By stage: orders, those that came back, entries beyond the first, those straight from itself, most entries."""
    found = {}
    for stage in {stage for order in orders for stage in order.stages}:
        entries = [order.stages.count(stage) for order in orders if stage in order.stages]
        direct = sum(a == b == stage for order in orders for a, b in pairwise(order.stages))
        found[stage] = (
            len(entries), sum(n > 1 for n in entries), sum(entries) - len(entries), direct, max(entries),
        )  # fmt: skip
    return found


def hours(orders, zone):
    found = Counter()
    for order in orders:
        for visit in order.visits:
            at = _local(visit.at_ns, zone)
            found[visit.stage, at.weekday() * 24 + at.hour] += 1
    return found


def days(orders, zone, first_ns, to_ns):
    found = defaultdict(Counter)
    for order in orders:
        moments = [("arrived", order.visits[0].at_ns)] + ([(order.terminal, order.end.at_ns)] if order.end else [])
        for what, at_ns in moments:
            if first_ns <= at_ns < to_ns:
                found[_local(at_ns, zone).date()][what] += 1
    return found


def open_at(orders, moment_ns):
    """Orders by the stage they are in just before a moment."""
    found = Counter()
    for order in orders:
        passed = [visit for visit in order.visits if visit.at_ns < moment_ns]
        if passed and not (order.end and order.end.at_ns < moment_ns):
            found[passed[-1].stage] += 1
    return found


def day_after(day, zone):
    """The first nanosecond of the next day, as calendars in a zone show it."""
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    return int(midnight.timestamp()) * SECOND


def reached(order, steps):
    """The visits at which an order reached the steps, one after the other."""
    found, rest = [], iter(order.visits)
    for step in steps:
        visit = next((visit for visit in rest if visit.stage == step), None)
        if visit is None:
            return found
        found.append(visit)
    return found


def funnel(orders, steps):
    """For each step: reached, dropped, open, skipped, seconds since the step before."""
    counts, since = [Counter() for _ in steps], [[] for _ in steps]
    for order in orders:
        found = reached(order, steps)
        for number, visit in enumerate(found):
            counts[number]["reached"] += 1
            if number:
                since[number].append(visit.at_ns - found[number - 1].at_ns)
        if found and len(found) < len(steps):
            after = order.visits[order.visits.index(found[-1]) + 1 :]
            later = {visit.stage for visit in after} & set(steps[len(found) + 1 :])
            counts[len(found) - 1]["skipped" if later else "open" if not order.terminal else "dropped"] += 1
    return counts, since


def _local(at_ns, zone):
    return datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(ZoneInfo(zone))
