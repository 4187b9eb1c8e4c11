"""CRM API: a deal for each order, the manager who approves it, and the carrier's message that closes it.

queue crm.orders    -> ask MES for the price -> deal "priced"
POST deals          -> a partner's order, priced by MES already
POST approve        -> MANUFACTURING_APPROVED -> queue mes.orders -> workshop
queue crm.shipments -> CLOSED
queue dead.letters  -> kept for a person to look at
"""

from __future__ import annotations

import logging
import time
from typing import Any

import clew_sdk
from fastapi import FastAPI, HTTPException
from pika.exceptions import UnroutableError  # type: ignore[import-untyped]

from clew_demo import queues
from clew_demo.database import Database
from clew_demo.place import Place, Troubles
from clew_demo.queues import Consumer, Unreadable
from clew_demo.services.running import begin, call, serve, web_app

SERVICE = "crm-api"
METALS = ("gold", "silver", "platinum")
PROMISED_NS = 3 * 86_400 * 1_000_000_000  # over what the shipped rules call due soon
CARRIER_S = 0.3
TABLES = (
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO counters (name, value) VALUES ('deal', 70) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS deals (order_id TEXT PRIMARY KEY, deal TEXT NOT NULL, path TEXT NOT NULL, "
    "customer TEXT NOT NULL, metal TEXT NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dead_letters (order_id TEXT NOT NULL, message TEXT NOT NULL)",
)
log = logging.getLogger(SERVICE)


class Deals:
    """The deals and what happens to them."""

    def __init__(self, place: Place, database: Database) -> None:
        self._place, self._database = place, database

    def open(self, message: dict[str, Any], path: str, state: str) -> None:
        """A deal for an order; the same order twice is one deal, since messages may come twice."""
        with self._database.transaction() as db:
            number = db.run("UPDATE counters SET value = value + 1 WHERE name = 'deal' RETURNING value")[0]["value"]
            db.run(
                "INSERT INTO deals VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                *(message["order_id"], f"D{number}", path, message["customer"], message["metal"], state),
            )

    def submitted(self, message: dict[str, Any]) -> None:
        """A customer's order came from the shop: open a deal and have it priced."""
        if message["metal"] not in METALS:
            raise Unreadable(f"order {message['order_id']}: no metal {message['metal']!r} in the price list")
        order_id = message["order_id"]
        with clew_sdk.order(order_id, path="b2c", user_id=message["customer"]):
            self.open(message, "b2c", "new")
            answer = call("POST", f"{self._place.mes}/prices", json=message)
            with self._database.transaction() as db:
                state = "refused" if answer.is_error else "priced"
                db.run("UPDATE deals SET state = ? WHERE order_id = ? AND state = 'new'", state, order_id)

    def change(self, order_id: str, state: str, stage: str = "", held: bool | None = None) -> dict[str, Any]:
        """Write the deal's new state, and with it the stage event or the hold; the deal as it is now."""
        with self._database.transaction() as db:
            rows = db.run("UPDATE deals SET state = ? WHERE order_id = ? RETURNING *", state, order_id)
            if not rows:
                raise HTTPException(404, f"no deal for order {order_id}")
            deal = rows[0]
            known = {"path": deal["path"], "user_id": deal["customer"], "aliases": {"crm_deal": deal["deal"]}}
            with clew_sdk.order(order_id, **known):
                if stage:
                    clew_sdk.stage(stage, connection=db.connection)
                if held is not None:
                    (clew_sdk.hold if held else clew_sdk.resume)("customer asked", connection=db.connection)
        log.info("%s %s deal %s", order_id, stage or state, deal["deal"])
        return deal

    def approve(self, order_id: str) -> None:
        """The manager's word: the workshop may begin. An approval that reaches no queue is only logged, sadly."""
        with clew_sdk.order(order_id):
            deal = self.change(order_id, "approved", "MANUFACTURING_APPROVED")
            message = {key: deal[key] for key in ("order_id", "path", "metal")}
            try:
                queues.publish(self._place.broker, queues.APPROVED, message)
            except UnroutableError:
                log.error("%s approved, but the broker returned the message: no queue", order_id)

    def shipped(self, message: dict[str, Any]) -> None:
        """The carrier says the parcel has arrived."""
        time.sleep(CARRIER_S)
        with clew_sdk.order(message["order_id"]):
            self.change(message["order_id"], "closed", "CLOSED")

    def bury(self, message: dict[str, Any]) -> None:
        """Keep a dead letter for a person to look at."""
        with clew_sdk.order(message["order_id"]), self._database.transaction() as db:
            db.run("INSERT INTO dead_letters VALUES (?, ?)", message["order_id"], str(message))
        log.info("%s is among the dead letters", message["order_id"])


def make_app(place: Place) -> FastAPI:
    """The routes, over the CRM's own database."""
    sdk, database = begin(SERVICE, place, *TABLES)
    troubles, deals = Troubles(place.troubles), Deals(place, database)
    routes = {queues.SUBMITTED: deals.submitted, queues.SHIPPED: deals.shipped, queues.DEAD: deals.bury}
    app = web_app(sdk, [Consumer(place.broker, route, handle) for route, handle in routes.items()])

    @app.get("/promises/{order_id}")
    def promise(order_id: str) -> dict[str, int]:
        if troubles.planned("http-500", order_id):
            raise RuntimeError("the delivery calendar is not available")
        return {"due_at_ns": time.time_ns() + PROMISED_NS}

    @app.get("/deals")
    def deals_in(state: str) -> list[str]:
        with database.transaction() as db:
            rows = db.run("SELECT order_id FROM deals WHERE state = ? ORDER BY order_id", state)
        return [row["order_id"] for row in rows]

    @app.post("/deals")
    def open_deal(message: dict[str, Any]) -> None:
        deals.open(message, message["path"], "priced")

    @app.post("/deals/{order_id}/hold")
    def hold(order_id: str) -> None:
        deals.change(order_id, "held", held=True)

    @app.post("/deals/{order_id}/resume")
    def resume(order_id: str) -> None:
        deals.change(order_id, "resumed", held=False)

    @app.post("/deals/{order_id}/approve")
    def approve(order_id: str) -> None:
        deals.approve(order_id)

    @app.post("/deals/{order_id}/cancel")
    def cancel(order_id: str) -> None:
        with clew_sdk.order(order_id), database.transaction() as db:
            if db.run("SELECT 1 FROM deals WHERE order_id = ? AND state IN ('approved', 'closed')", order_id):
                raise HTTPException(409, f"{order_id} is being made already")
            db.run("UPDATE deals SET state = 'cancelled' WHERE order_id = ?", order_id)

    return app


if __name__ == "__main__":
    here = Place.from_environ()
    serve(make_app(here), here.crm)
