"""MES (the workshop): operators take approved orders from the bench, make them, pack them, ship them.

    queue mes.orders -> bench (a table) -> operator: MANUFACTURING_STARTED -> MANUFACTURING_COMPLETED
                                           (-> once more, when the stone sits loose) -> PACKAGING -> SHIPPED -> queue

The message is acknowledged once the order lies on the bench. An operator who drops dead leaves the order there, marked
as taken, and nobody looks at it again: a fault found in many a real workshop, and one that Clew shows as stuck.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import threading
from typing import Any

import clew_sdk
from opentelemetry import context, propagate, trace

from clew_demo import queues
from clew_demo.database import Database
from clew_demo.place import Place
from clew_demo.queues import Consumer
from clew_demo.services.running import begin, call

SERVICE = "mes"
OPERATORS = 4
IDLE_S = 0.2
TABLES = (
    "CREATE TABLE IF NOT EXISTS bench (order_id TEXT PRIMARY KEY, path TEXT NOT NULL, state TEXT NOT NULL, "
    "carried TEXT NOT NULL)",
)
# How long the work of each stage takes, from and to seconds.
WORK_S = {"MANUFACTURING_STARTED": (0.8, 1.6), "MANUFACTURING_COMPLETED": (0.1, 0.4), "PACKAGING": (0.2, 0.5)}
LOOSE_STONES = 0.15
log = logging.getLogger(SERVICE)
tracer = trace.get_tracer(__name__)


class Workshop:
    """The bench and its operators."""

    def __init__(self, place: Place, database: Database) -> None:
        self._place, self._database = place, database
        self.closing = threading.Event()

    def put_on_bench(self, message: dict[str, Any]) -> None:
        """Lay an approved order on the bench, together with the trace context it came with."""
        carried: dict[str, str] = {}
        with clew_sdk.order(message["order_id"], path=message["path"]), self._database.transaction() as db:
            propagate.inject(carried)
            values = (message["order_id"], message["path"], json.dumps(carried))
            db.run("INSERT INTO bench VALUES (?, ?, 'waiting', ?) ON CONFLICT DO NOTHING", *values)

    def operate(self) -> None:
        """An operator's day: take the next order and make it, until closing time."""
        while not self.closing.is_set():
            work = self._take()
            if work is None:
                self.closing.wait(IDLE_S)
                continue
            token = context.attach(propagate.extract(json.loads(work["carried"])))
            try:
                with tracer.start_as_current_span("make"), clew_sdk.order(work["order_id"], path=work["path"]):
                    self._make(work["order_id"])
            except Exception:
                log.exception("%s: the work on it failed", work["order_id"])
            finally:
                context.detach(token)

    def _take(self) -> dict[str, Any] | None:
        if not self._waiting():
            return None
        with self._database.transaction() as db:
            rows = db.run(
                "UPDATE bench SET state = 'taken' WHERE state = 'waiting' AND order_id = "
                "(SELECT MIN(order_id) FROM bench WHERE state = 'waiting') RETURNING *"
            )
        return rows[0] if rows else None

    def _waiting(self) -> bool:
        """Whether there is work: asked five times a second by each operator, so without a transaction's spans."""
        connection = self._database.connect()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM bench WHERE state = 'waiting'")
            return cursor.fetchone() is not None
        finally:
            connection.close()

    def _make(self, order_id: str) -> None:
        hands = random.Random(order_id)  # the same order takes the same time in every run
        rings = 2 if hands.random() < LOOSE_STONES else 1
        for _ in range(rings):
            self._enter(order_id, "MANUFACTURING_STARTED", hands)
            self._enter(order_id, "MANUFACTURING_COMPLETED", hands)
        self._enter(order_id, "PACKAGING", hands)
        self._enter(order_id, "SHIPPED", hands)
        queues.publish(self._place.broker, queues.SHIPPED, {"order_id": order_id})

    def _enter(self, order_id: str, stage: str, hands: random.Random) -> None:
        with self._database.transaction() as db:
            db.run("UPDATE bench SET state = ? WHERE order_id = ?", stage, order_id)
            clew_sdk.stage(stage, actor=threading.current_thread().name, connection=db.connection)
        log.info("%s %s", order_id, stage)
        call("POST", f"{self._place.mes}/orders/{order_id}/progress?stage={stage}")
        if stage in WORK_S:
            self.closing.wait(hands.uniform(*WORK_S[stage]))


def main() -> None:
    """Work until SIGTERM, then finish what the operators hold."""
    place = Place.from_environ()
    sdk, database = begin(SERVICE, place, *TABLES)
    workshop = Workshop(place, database)
    signal.signal(signal.SIGTERM, lambda *_: workshop.closing.set())
    consumer = Consumer(place.broker, queues.APPROVED, workshop.put_on_bench)
    operators = [threading.Thread(target=workshop.operate, name=f"operator-{n}") for n in range(1, OPERATORS + 1)]
    consumer.start()
    for operator in operators:
        operator.start()
    log.info("ready")
    workshop.closing.wait()
    consumer.stop()
    for operator in operators:
        operator.join()
    sdk.shutdown()


if __name__ == "__main__":
    main()
