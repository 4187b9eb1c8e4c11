"""Shop API: the pages where customers order a ring, and the same orders as JSON.

cart (INITIATED) -> model (FILE_UPLOADED) -> "place the order" (SUBMITTED) -> queue -> CRM
                                              or CANCELLED
"""

from __future__ import annotations

import logging
from typing import Annotated, Any
from urllib.parse import parse_qsl

import clew_sdk
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from clew_demo import queues
from clew_demo.place import Place
from clew_demo.services import pages
from clew_demo.services.running import begin, call, serve, web_app

SERVICE = "shop-api"
TABLES = (
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO counters (name, value) VALUES ('order', 1000) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, metal TEXT NOT NULL, "
    "model TEXT NOT NULL, state TEXT NOT NULL)",
)
log = logging.getLogger(SERVICE)


async def form(request: Request) -> dict[str, str]:
    """The fields of a submitted HTML form."""
    return dict(parse_qsl((await request.body()).decode()))


Form = Annotated[dict[str, str], Depends(form)]


def make_app(place: Place) -> FastAPI:
    """The routes, over the shop's own database."""
    sdk, database = begin(SERVICE, place, *TABLES)
    app = web_app(sdk)

    def enter(order_id: str, state: str, stage: str, **said: Any) -> dict[str, Any]:  # noqa: ANN401 - as stage() takes
        """Write the order's new state and the stage event in one transaction; the order as it is now."""
        with database.transaction() as db:
            rows = db.run("UPDATE orders SET state = ? WHERE id = ? RETURNING *", state, order_id)
            if not rows:
                raise HTTPException(404, f"no order {order_id}")
            clew_sdk.stage(stage, user_id=rows[0]["customer"], connection=db.connection, **said)
        log.info("%s %s", order_id, stage)
        return rows[0]

    @app.get("/", response_class=HTMLResponse)
    def shop() -> str:
        with database.transaction() as db:
            return pages.shop(db.run("SELECT * FROM orders ORDER BY id DESC LIMIT 50"))

    @app.get("/orders/{order_id}", response_class=HTMLResponse)
    def order_page(order_id: str) -> str:
        return pages.order(order_as_json(order_id))

    @app.get("/api/orders/{order_id}")
    def order_as_json(order_id: str) -> dict[str, Any]:
        with clew_sdk.order(order_id), database.transaction() as db:
            rows = db.run("SELECT * FROM orders WHERE id = ?", order_id)
        if not rows:
            raise HTTPException(404, f"no order {order_id}")
        return rows[0]

    @app.post("/orders")
    def begin_order(fields: Form) -> RedirectResponse:
        customer, metal = fields.get("customer", "guest"), fields.get("metal", "gold")
        with database.transaction() as db:
            number = db.run("UPDATE counters SET value = value + 1 WHERE name = 'order' RETURNING value")[0]["value"]
            order_id = f"B2C-{number}"
            db.run("INSERT INTO orders VALUES (?, ?, ?, '', 'cart')", order_id, customer, metal)
            with clew_sdk.order(order_id, path="b2c", user_id=customer):
                clew_sdk.stage("INITIATED", connection=db.connection)
        log.info("%s INITIATED %s ring for %s", order_id, metal, customer)
        return _page_of(order_id)

    @app.post("/orders/{order_id}/model")
    def upload_model(order_id: str, fields: Form) -> RedirectResponse:
        with clew_sdk.order(order_id, path="b2c"):
            with database.transaction() as db:
                db.run("UPDATE orders SET model = ? WHERE id = ?", fields.get("model", "ring.stl"), order_id)
            enter(order_id, "designed", "FILE_UPLOADED")
        return _page_of(order_id)

    @app.post("/orders/{order_id}/submit")
    def submit(order_id: str) -> RedirectResponse:
        with clew_sdk.order(order_id, path="b2c"):
            promise = call("GET", f"{place.crm}/promises/{order_id}")
            if promise.is_error:
                error = f"CRM answered {promise.status_code} for the delivery date"
                with database.transaction() as db:
                    clew_sdk.stage("SUBMITTED", outcome="failed", error=error, connection=db.connection)
                raise RuntimeError(error)
            order = enter(order_id, "submitted", "SUBMITTED", due_at=promise.json()["due_at_ns"])
            message = {"order_id": order_id, **{key: order[key] for key in ("customer", "metal", "model")}}
            queues.publish(place.broker, queues.SUBMITTED, message)
        return _page_of(order_id)

    @app.post("/orders/{order_id}/cancel")
    def cancel(order_id: str) -> RedirectResponse:
        with clew_sdk.order(order_id, path="b2c"):
            answer = call("POST", f"{place.crm}/deals/{order_id}/cancel")
            if answer.status_code == 409:
                raise HTTPException(409, answer.json()["detail"])
            enter(order_id, "cancelled", "CANCELLED")
        return _page_of(order_id)

    return app


def _page_of(order_id: str) -> RedirectResponse:
    return RedirectResponse(f"/orders/{order_id}", status_code=303)


if __name__ == "__main__":
    here = Place.from_environ()
    serve(make_app(here), here.shop)
