"""Orders that are hard to show: one with 2,000 spans over days, one whose every text is hostile."""

from __future__ import annotations

from tests.builders import logs, record, span, stage_event, traces

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
BUSY = "busy/1"
HOSTILE = '<script>alert(1)</script>/"x" & \u202egnp.exe\u200b'
LONG = "<b>" + "z" * 10_000
_TRACES, _SPANS = 40, 50
_WAY = (
    "INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "SUBMITTED", "PRICE_CALCULATED",
    "MANUFACTURING_APPROVED", "MANUFACTURING_COMPLETED", "PACKAGING", "LIMBO",
)  # fmt: skip
_SERVICES = ("shop-api", "crm-api", "mes-api", "mes", "billing", "mailer")


def busy_order(now: int, first_trace: int = 1_000):
    """2,000 spans in 40 traces over four days, with messages, failures, retries, a hold, deviations and 120 logs."""
    start = now - 96 * HOUR
    spans: dict[str, list] = {name: [] for name in _SERVICES}
    for number in range(_TRACES):
        begin = start + number * 96 * HOUR // _TRACES
        for service, made in _trace(first_trace + number, begin):
            spans[service].append(made)
    told = [
        stage_event(
            BUSY, stage, start + index * 9 * HOUR, trace=first_trace + index * 4, span=1, order__path="b2c",
            order__due_at=now + 30 * HOUR, order__alias__crm_deal="D-BUSY", order__actor="anna",
        )
        for index, stage in enumerate(_WAY)
    ]  # fmt: skip
    told += [
        stage_event(BUSY, "", start + 20 * HOUR, order__hold=True),
        stage_event(BUSY, "", start + 25 * HOUR, order__hold=False),
    ]
    said = [
        record(f"line {n} of the log", start + n * 45 * MINUTE, trace=first_trace + n % _TRACES, span=2, order__id=BUSY)
        for n in range(120)
    ]
    alone = record("outside of any trace", start + HOUR, order__id=BUSY)
    return [*(traces(name, *made) for name, made in spans.items()), logs("shop-api", *told, *said, alone)]


def _trace(trace: int, begin: int):
    """The spans of a trace: a request, a message and its delivery, and work of six services below."""
    named = {"order__id": BUSY}
    yield "shop-api", span(trace, 1, begin, lasts_ms=900, name="POST /orders", kind="server", **named)
    yield (
        "shop-api",
        span(
            trace, 2, begin + 10**7, name="send orders", parent=1, kind="producer", order__id=BUSY,
            messaging__destination__name="orders",
        ),
    )  # fmt: skip
    yield (
        "mes",
        span(
            trace, 3, begin + 3 * 10**9, lasts_ms=400, name="process orders", parent=2, kind="consumer", order__id=BUSY,
            clew__message__queue="mes.orders", clew__message__redelivered=trace % 7 == 0,
            clew__message__settlement="reject" if trace % 11 == 0 else "ack",
        ),
    )  # fmt: skip
    for number in range(4, _SPANS + 1):
        service = _SERVICES[number % len(_SERVICES)]
        failed = {"status": "error", "error__type": "TimeoutError", "timeout": True} if number == 5 else {}
        tried = {"retry__count": 2} if number == 6 else {}
        yield (
            service,
            span(
                trace, number, begin + number * 10**7, name=f"step {number}", parent=1 + number % 3, **failed, **tried
            ),
        )


def hostile_order(now: int, trace: int = 2_000):
    """An order whose id, names, bodies and attributes are what somebody would write to break a page."""
    bad = f"{HOSTILE}\n{LONG}"
    told = stage_event(
        HOSTILE, "SUBMITTED", now - 2 * MINUTE, trace=trace, span=1, order__path=HOSTILE, user__id=HOSTILE,
        order__alias__deal='D"<i>', order__actor=bad,
    )  # fmt: skip
    failed = stage_event(
        HOSTILE, "PRICE_CALCULATED", now - MINUTE, trace=trace, span=1, order__outcome="failed", error__message=bad
    )
    work = span(trace, 1, now - 2 * MINUTE, name=bad, order__id=HOSTILE, status="error", error__type=HOSTILE, note=bad)
    sent = span(
        trace, 2, now - 2 * MINUTE, name=bad, parent=1, kind="producer", order__id=HOSTILE,
        messaging__destination__name=HOSTILE,
    )  # fmt: skip
    return [traces(HOSTILE, work, sent), logs(HOSTILE, told, failed, record(bad, now - MINUTE, trace=trace, span=1))]
