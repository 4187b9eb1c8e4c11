"""After Clew was down, services deliver what they held back one after the other: nobody is told what isn't so."""

from __future__ import annotations

import time
from dataclasses import replace

from clew.api import ApiDeps
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.model.alert import AlertPhase
from clew.model.incident import IncidentState
from clew.rules import default_rules
from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event
from tests.watching import watch_over

SECOND = 10**9
MINUTE = 60 * SECOND
DOWN = time.time_ns() - 40 * MINUTE  # touches are kept for hours only
UP = DOWN + 20 * MINUTE
RULES = tuple(each for each in default_rules().rules if each.name in ("stuck", "approval-skipped"))


class Shop:
    """Services that send to a Clew that starts, and starts anew over the same data."""

    def __init__(self, folder):
        self.store, self.folder, self.now = open_store(folder / "store"), folder, DOWN
        book = FlowBook(self.store)
        book.start([])
        rebuilder = Rebuilder(self.store, lambda: book.current)
        self.ticker = Ticker(self.store, rebuilder, lambda: self.now + SECOND)
        self.deps = ApiDeps(
            self.store, book, Backfill(self.store, rebuilder), None, self.ticker, now_ns=lambda: self.now
        )

    def start(self, at):
        self.now = at
        self.watch, self.desk, self.database = watch_over(replace(self.deps), self.folder, RULES)

    def told(self, at, *sent):
        """The orders that people are told of at a moment, by rule, when this came just before."""
        self.now = at
        for service, stages in sent:
            ingest(self.store, at, logs(service, *(stage_event(*each, order__path="b2c") for each in stages)))
        self.ticker.tick()
        self.watch.step()
        desk = self.desk.incidents
        found = {}
        for each in desk.unresolved():
            firing = [alert for alert in desk.alerts_of(each.id) if alert.phase is AlertPhase.FIRING]
            found.setdefault(each.rule, set()).update(alert.finding.order_id for alert in firing)
        return found

    def channels(self, incident_id):
        """Where an incident was told, in order."""
        return [each.channel for each in self.desk.outbox.told(incident_id)]


def test_orders_are_judged_when_what_services_held_back_has_come(tmp_path):
    shop = Shop(tmp_path)
    shop.start(DOWN)
    begun = [("old", "SUBMITTED", DOWN - 40 * MINUTE), ("over", "PRICE_CALCULATED", DOWN - 300 * MINUTE)]
    begun += [(each, "SUBMITTED", DOWN - 15 * MINUTE) for each in ("stuck", "approved", "priced")]
    waited = {"stuck": {"old", "over"}}
    assert shop.told(DOWN, ("shop-api", begun)) == waited
    (alert,) = shop.desk.incidents.alerts_of(1)
    first, over = (1, 2) if alert.finding.order_id == "old" else (2, 1)
    shop.database.close()

    shop.start(UP)
    # MES is back at once, and the CRM a minute later: until then it seems that nobody approved, and that "priced" waits.
    made = [("approved", "MANUFACTURING_STARTED", DOWN + 5 * MINUTE), ("over", "CANCELLED", DOWN + MINUTE)]
    assert shop.told(UP + 2 * SECOND, ("mes", made)) == waited
    assert "Clew was down for 20 min" in (shop.desk.waits() or "")
    by_crm = [
        ("approved", "PRICE_CALCULATED", DOWN + 2 * MINUTE),
        ("approved", "MANUFACTURING_APPROVED", DOWN + 3 * MINUTE),
        ("priced", "PRICE_CALCULATED", UP - MINUTE),
    ]
    for after_s, sent in ((30, []), (60, [("crm-api", by_crm)]), (90, []), (119, [])):
        assert shop.told(UP + after_s * SECOND, *sent) == waited
        shop.now += SECOND  # a turn between two looks
        shop.watch.step()
    assert shop.watch.problem() is None
    assert [shop.channels(each) for each in (first, over)] == [["slack"], ["slack"]], "nobody is called by old facts"

    for after_s in (125, 140, 170):
        assert shop.told(UP + after_s * SECOND) == {"stuck": {"old", "stuck"}}
    assert shop.desk.waits() is None
    assert [shop.desk.incidents.incident(each).state for each in (first, over)] == [IncidentState.OPEN] * 2
    assert [shop.desk.incidents.incident(each).firing for each in (first, over)] == [2, 0]
    assert [set(shop.channels(each)) for each in (first, over)] == [{"slack", "duty"}, {"slack"}]
    shop.database.close()
    shop.store.close()
