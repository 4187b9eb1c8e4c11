"""Generated logs, and orders in the store as they are rebuilt from them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from clew.journey.rebuild import rebuild
from clew.model.event import Source, StageEvent
from clew.model.flow import Flow, Stage, Terminal
from clew.store.codec import journey_to_json
from clew.store.contract import Store
from clew.store.orders import OrderRow, encode_order, write_encoded

HOUR = 3600 * 10**9
DAY = 24 * HOUR
# A Thursday.
BEGIN = 1_790_208_000 * 10**9
_names = itertools.count()


def shop_flow(name: str, accepted: Iterable[str] = ()) -> Flow:
    """A > B > C > D > Z, from B back to A; E aside; Z closes, Q cancels; path p enters at A, path q at B."""
    return Flow(
        name=name,
        version=3,
        stages=(
            Stage("A", next=("B", "Q")),
            Stage("B", next=("C", "A", "Q")),
            Stage("C", next=("D", "E")),
            Stage("D", next=("Z",)),
            Stage("E", next=("D",)),
            Stage("Z", terminal=Terminal.CLOSED),
            Stage("Q", terminal=Terminal.CANCELLED),
        ),
        paths={"p": ("A",), "q": ("B",)},
        accepted=frozenset(accepted),
    )


def flow_without_stages(name: str) -> Flow:
    """As imported history brings it along."""
    return Flow(name, 0, ())


@dataclass(frozen=True, repr=False)
class Log:
    """Events of one flow, in no order; ``imported`` or told by telemetry."""

    flow: Flow
    events: tuple[StageEvent, ...]
    imported: bool

    def __repr__(self) -> str:
        lines = [f"{e.order_id} {e.path} {dict(e.attributes)} {e.stage} +{e.at_ns - BEGIN}" for e in self.events]
        return f"{'imported' if self.imported else 'watched'} {self.flow.name} {bool(self.flow.stages)} {sorted(lines)}"


@dataclass(frozen=True)
class Visit:
    stage: str
    at_ns: int


@dataclass(frozen=True)
class Order:
    """What the oracle knows of an order, told from the events alone."""

    order_id: str
    path: str
    visits: tuple[Visit, ...]
    end: Visit | None
    terminal: str
    attributes: dict[str, str]

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(visit.stage for visit in self.visits)


_times = st.one_of(
    st.integers(0, 6).map(lambda hours: hours * HOUR),
    st.integers(0, 500).map(lambda hours: hours * HOUR),
    st.integers(0, 20 * DAY),
)


@st.composite
def logs(draw):
    """Loops, self-loops, ties, gaps, repeats, several entries and exits, unknown stages; few or no orders too."""
    imported = draw(st.booleans())
    declared = draw(st.booleans())
    name = f"flow-{next(_names)}"
    flow = shop_flow(name) if declared else flow_without_stages(name)
    source = Source.IMPORT if imported else Source.LOG
    events = []
    for number in range(draw(st.integers(0, 9))):
        path, country = draw(st.sampled_from(["p", "q", "r"])), draw(st.sampled_from(["", "de", "nl"]))
        likely = draw(st.sampled_from(["ABCDZ", "ABCABCEDZ", "AABBQ", "ABCDEXZQ"]))
        for stage in draw(st.lists(st.sampled_from(likely), min_size=1, max_size=9)):
            events.append(
                StageEvent(
                    f"{name}-{number}", stage, BEGIN + draw(_times), flow=name, path=path, source=source,
                    attributes={"country": country} if country else {},
                )
            )  # fmt: skip
    return Log(flow, tuple(draw(st.permutations(events))), imported)


def write(store: Store, log: Log) -> None:
    """Rebuild the journeys and write their rows, as the ticker and imports do."""
    rows = []
    for order_id, events in _by_order(log.events).items():
        journey = rebuild(order_id, events, log.flow)
        rows.append(encode_order(OrderRow(journey, journey_to_json(journey), journey.facts, ())))
    write_encoded(store, rows, [])


def told(log: Log) -> list[Order]:
    """The orders of a log by the rules as they are written down: distinct, by time, then the flow's order, then name."""
    place = {stage.name: index for index, stage in enumerate(log.flow.stages)}
    orders = []
    for order_id, events in _by_order(log.events).items():
        distinct = sorted({(event.at_ns, place.get(event.stage, len(place)), event.stage) for event in events})
        visits = [Visit(stage, at_ns) for at_ns, _, stage in distinct]
        if not log.imported:
            visits = [visit for n, visit in enumerate(visits) if n == 0 or visits[n - 1].stage != visit.stage]
        terminals = {"Z": "closed", "Q": "cancelled"} if log.flow.stages else {}
        end = next((visit for visit in visits if visit.stage in terminals), None)
        orders.append(
            Order(
                order_id,
                events[0].path,
                tuple(visits),
                end,
                terminals[end.stage] if end else "",
                dict(events[0].attributes),
            )
        )
    return orders


def _by_order(events: Iterable[StageEvent]) -> dict[str, list[StageEvent]]:
    found: dict[str, list[StageEvent]] = {}
    for event in events:
        found.setdefault(event.order_id, []).append(event)
    return found
