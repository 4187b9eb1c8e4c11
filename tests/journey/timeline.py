"""Short words for telling an order's story in tests: minutes, stages, holds."""

from hashlib import blake2b

from clew.model.event import Outcome, StageEvent
from clew.model.flow import ANY_PATH, Flow, Limit, Stage, Terminal
from clew.model.journey import Loss, LostReason

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_790_000_000 * SECOND


def at(minutes):
    """The moment that many minutes after the story begins."""
    return START + round(minutes * MINUTE)


REPORTED_BY = {
    "BASKET": "shop",
    "ORDERED": "shop",
    "PRICED": "mes",
    "APPROVED": "crm",
    "MADE": "mes",
    "SHIPPED": "mes",
    "DONE": "crm",
    "DROPPED": "shop",
}


def event(stage, minutes, service=None, **fields):
    """A stage event; its span id follows from stage and time, as if each came from a span of its own."""
    fields.setdefault("span_id", blake2b(f"{stage} {minutes}".encode(), digest_size=8).hexdigest())
    fields.setdefault("trace_id", "")
    service = REPORTED_BY.get(stage, "shop") if service is None else service
    return StageEvent(fields.pop("order_id", "4711"), stage, at(minutes), service, **fields)


def failed(stage, minutes, error="", **fields):
    return event(stage, minutes, outcome=Outcome.FAILED, error=error, **fields)


def hold(minutes, **fields):
    return event("", minutes, hold=True, **fields)


def resume(minutes, **fields):
    return event("", minutes, hold=False, **fields)


def loss(minutes, service="shop", reason=LostReason.IN_QUEUE, destination="mes.orders", **fields):
    return Loss(reason, destination, at(minutes), service, "t" * 32, fields.pop("span_id", "a" * 16), **fields)


def limit(allowed, warn):
    return Limit(allowed * MINUTE, warn * MINUTE)


def ring_flow(**changes):
    """A ring is put in the basket, ordered, priced, approved, made and shipped; partners begin at ORDERED."""
    stages = {
        "BASKET": Stage("BASKET", "shop", next=("ORDERED", "DROPPED")),
        "ORDERED": Stage("ORDERED", "mes", limits={ANY_PATH: limit(30, 20)}, next=("PRICED", "DROPPED")),
        "PRICED": Stage(
            "PRICED",
            "crm",
            owner="sales",
            limits={"web": limit(240, 180), "partner": limit(480, 400)},
            next=("APPROVED", "DROPPED"),
        ),
        "APPROVED": Stage("APPROVED", "mes", limits={ANY_PATH: limit(60, 50)}, next=("MADE", "DROPPED")),
        "MADE": Stage("MADE", "mes", limits={ANY_PATH: limit(60, 50)}, next=("SHIPPED",)),
        "SHIPPED": Stage("SHIPPED", "crm", next=("DONE",)),
        "DONE": Stage("DONE", terminal=Terminal.CLOSED),
        "DROPPED": Stage("DROPPED", terminal=Terminal.CANCELLED),
    }
    stages.update(changes.pop("stages", {}))
    fields = {"paths": {"web": ("BASKET",), "partner": ("ORDERED",)}, **changes}
    return Flow("rings", 7, tuple(stages.values()), **fields)


FLOW = ring_flow()
HAPPY = ("BASKET", "ORDERED", "PRICED", "APPROVED", "MADE", "SHIPPED", "DONE")


def story(*stages, every=10):
    """Stage events in that order, so many minutes apart."""
    return [event(stage, index * every) for index, stage in enumerate(stages)]


def way(journey):
    return [milestone.stage for milestone in journey.milestones]
