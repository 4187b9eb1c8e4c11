"""A small history whose reports can be counted by hand: four watched orders of the jeweller, three imported loans.

=====  ====  =======  ==========================================================
1      b2c   de       all the way to CLOSED in nine hours, an hour a stage
2      b2c   nl       the same, a day later, MANUFACTURING_STARTED entered twice
3      b2b   de       cancelled two hours after its beginning, two days later
4      b2c   de       waits in SUBMITTED, since two hours after three days
=====  ====  =======  ==========================================================
"""

from __future__ import annotations

from clew.api import ApiDeps
from clew.flow import default_flow
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.model.event import Source, StageEvent
from clew.store.contract import Store
from tests.report.histories import BEGIN, DAY, HOUR, Log, flow_without_stages, write

NOW = BEGIN + 10 * DAY
WAY = (
    "INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED", "CLOSED",
)  # fmt: skip
AGAIN = (*WAY[:7], "MANUFACTURING_STARTED", *WAY[6:])
HOSTILE = "=[red]\x1b[31mA"


def _order(number: int, path: str, country: str, stages: tuple[str, ...], days: int) -> list[StageEvent]:
    return [
        StageEvent(
            str(number), stage, BEGIN + days * DAY + hours * HOUR, path=path, attributes={"country": country},
        )
        for hours, stage in enumerate(stages)
    ]  # fmt: skip


def tell_shop(store: Store) -> ApiDeps:
    """Write the history into a fresh store; ends what the API needs."""
    book = FlowBook(store)
    book.start([])
    watched = [
        *_order(1, "b2c", "de", WAY, 0),
        *_order(2, "b2c", "nl", AGAIN, 1),
        *_order(3, "b2b", "de", ("FILE_UPLOADED", "PRICE_CALCULATED", "CANCELLED"), 2),
        *_order(4, "b2c", "de", WAY[:3], 3),
    ]
    write(store, Log(default_flow(), tuple(watched), imported=False))
    loans = [
        StageEvent(f"loan-{number}", stage, BEGIN + hours * HOUR, flow="loans", source=Source.IMPORT)
        for number in range(3)
        for hours, stage in enumerate((HOSTILE, "B", "B", "C")[: 2 + number])
    ]
    write(store, Log(flow_without_stages("loans"), tuple(loans), imported=True))
    return ApiDeps(store, book, Backfill(store, Rebuilder(store, lambda: book.current)), now_ns=lambda: NOW)
