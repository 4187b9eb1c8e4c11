"""A store for the flow page: the hand-counted history of tests.report.shop, and a flow whose names are hostile."""

from __future__ import annotations

from clew.api import ApiDeps
from clew.model.event import Source, StageEvent
from clew.store.contract import Store
from tests.report.histories import BEGIN, HOUR, Log, flow_without_stages, write
from tests.report.shop import tell_shop

ODD = (
    "<script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=1">',
    "\u202eRIGHT TO LEFT",
    "zero\u200bwidth",
    "x" * 10_000,
    "{{ 7 * 7 }}",
)


def tell_flows(store: Store) -> ApiDeps:
    """Write both into a fresh store."""
    deps = tell_shop(store)
    events = [
        StageEvent(f"{number}<b>", stage, BEGIN + hours * HOUR, flow="odd", path=ODD[0], source=Source.IMPORT)
        for number in range(3)
        for hours, stage in enumerate(ODD[: 4 + number])
    ]
    write(store, Log(flow_without_stages("odd"), tuple(events), imported=True))
    return deps
