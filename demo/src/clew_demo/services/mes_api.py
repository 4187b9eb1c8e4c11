"""MES API: partners bring their models, prices are computed, and the workshop reports how far it is.

POST /orders              -> a partner's order: FILE_UPLOADED
POST /orders/ID/price     -> PRICE_CALCULATED -> CRM opens a deal
POST /prices              -> the same for a shop order, on the CRM's question; refused without 3D data
POST /orders/ID/progress  -> what the workshop does with it
"""

from __future__ import annotations

import logging
from typing import Any

import clew_sdk
from fastapi import FastAPI, HTTPException

from clew_demo.database import Session
from clew_demo.place import Place, Troubles
from clew_demo.services.running import begin, call, serve, web_app

SERVICE = "mes-api"
SLOW_S = 1.3
TABLES = (
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO counters (name, value) VALUES ('order', 500) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS works (order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, metal TEXT NOT NULL, "
    "model TEXT NOT NULL, state TEXT NOT NULL)",
)
PRICES = {"gold": 900, "silver": 200, "platinum": 1400}
log = logging.getLogger(SERVICE)


def make_app(place: Place) -> FastAPI:
    """The routes, over the MES's own database."""
    sdk, database = begin(SERVICE, place, *TABLES)
    troubles = Troubles(place.troubles)
    app = web_app(sdk)

    def price(db: Session, order_id: str, work: dict[str, Any]) -> int | None:
        """The price of a model; None when there is no model to compute it from."""
        if troubles.planned("slow-db", order_id):
            db.run("SELECT pg_sleep(?)", SLOW_S)
        if not work["model"]:
            clew_sdk.stage("PRICE_CALCULATED", outcome="failed", error="no 3D data", connection=db.connection)
            return None
        clew_sdk.stage("PRICE_CALCULATED", connection=db.connection)
        log.info("%s PRICE_CALCULATED", order_id)
        return PRICES[work["metal"]]

    @app.post("/prices")
    def price_for_crm(message: dict[str, str]) -> dict[str, int]:
        order_id = message["order_id"]
        with clew_sdk.order(order_id), database.transaction() as db:
            values = (order_id, message["customer"], message["metal"], message["model"])
            db.run("INSERT INTO works VALUES (?, ?, ?, ?, 'new') ON CONFLICT DO NOTHING", *values)
            amount = price(db, order_id, message)
        return _answer(amount)

    @app.post("/orders")
    def partner_order(message: dict[str, str]) -> dict[str, str]:
        with database.transaction() as db:
            number = db.run("UPDATE counters SET value = value + 1 WHERE name = 'order' RETURNING value")[0]["value"]
            order_id = f"B2B-{number}"
            values = (order_id, message["customer"], message["metal"], message["model"])
            db.run("INSERT INTO works VALUES (?, ?, ?, ?, 'new')", *values)
            with clew_sdk.order(order_id, path="b2b", user_id=message["customer"]):
                clew_sdk.stage("FILE_UPLOADED", connection=db.connection)
        log.info("%s FILE_UPLOADED %s by %s", order_id, message["model"], message["customer"])
        return {"order_id": order_id}

    @app.post("/orders/{order_id}/price")
    def price_for_partner(order_id: str) -> dict[str, int]:
        with clew_sdk.order(order_id, path="b2b"):
            with database.transaction() as db:
                work = db.run("SELECT * FROM works WHERE order_id = ?", order_id)[0]
                amount = price(db, order_id, work)
            answer = _answer(amount)
            call("POST", f"{place.crm}/deals", json={**work, "path": "b2b"}).raise_for_status()
        return answer

    @app.post("/orders/{order_id}/progress")
    def progress(order_id: str, stage: str) -> None:
        with clew_sdk.order(order_id), database.transaction() as db:
            db.run("UPDATE works SET state = ? WHERE order_id = ?", stage, order_id)

    @app.get("/orders")
    def orders_in(state: str) -> list[str]:
        with database.transaction() as db:
            rows = db.run("SELECT order_id FROM works WHERE state = ? ORDER BY order_id", state)
        return [row["order_id"] for row in rows]

    return app


def _answer(price: int | None) -> dict[str, int]:
    if price is None:
        raise HTTPException(422, "no 3D data")
    return {"price": price}


if __name__ == "__main__":
    here = Place.from_environ()
    serve(make_app(here), here.mes)
