"""Stage events as log records: requests of them, and how soon their journeys are up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from bench.figures import Figure, percentile
from bench.process import Clew, running
from bench.sender import HttpConnection
from bench.shop import STAGES, attributes_of

_FACTS_BIT, _FACTS_MASK = 25, (1 << 20) - 1
_SENDERS = 40
_PAUSE_S = 2.0
_CATCH_UP_S = 8.0


def stage_request(events: list[tuple[str, str, int]], service: str = "shop-api") -> bytes:
    """An export request of stage events: (order id, stage, Unix nanoseconds)."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes_of({"service.name": service}))
    resource.scope_logs.add(
        log_records=[
            LogRecord(
                time_unix_nano=at_ns,
                event_name="order.stage",
                attributes=attributes_of({"order.id": order_id, "order.stage": stage, "order.path": "b2c"}),
            )
            for order_id, stage, at_ns in events
        ]
    )
    return request.SerializeToString()


class _Exporter(threading.Thread):
    """One service: sends its share of events; every order makes a step each time its turn comes."""

    def __init__(self, port: int, number: int, rate: float, seconds: float) -> None:
        super().__init__()
        self._connection = HttpConnection(port, "/v1/logs")
        self._number = number
        self._a_turn = max(1, round(rate * _PAUSE_S))
        self._seconds = seconds
        self.sent_ns: dict[tuple[str, int], int] = {}
        self.acknowledged_ms: list[float] = []

    def run(self) -> None:
        time.sleep(_PAUSE_S * self._number / _SENDERS)
        begun, turn = time.monotonic(), 0
        while time.monotonic() - begun < self._seconds:
            self._send(turn)
            turn += 1
            time.sleep(max(0.0, begun + turn * _PAUSE_S - time.monotonic()))
        self._connection.close()

    def _send(self, turn: int) -> None:
        generation, step = divmod(turn, len(STAGES))
        now_ns = time.time_ns()
        events = [(f"t{self._number}-{generation}-{each}", STAGES[step], now_ns + each) for each in range(self._a_turn)]
        if self._connection.post(stage_request(events)) != 200:
            raise RuntimeError("stage events were refused")
        self.acknowledged_ms.append((time.time_ns() - now_ns) / 1e6)
        self.sent_ns |= {(order_id, step + 1): now_ns for order_id, _, _ in events}


def measure_ticker(data: Path, seconds: float, rate: float = 500.0) -> Iterator[Figure]:
    """Stage events at a sustained rate; the delay is from the sending to the written journey that holds the event.

    Each exporter waits for its answer before it sends again, so there are as many exporters as keep the rate.
    """
    with running(data) as clew:
        before, began = clew.cpu_s(), time.monotonic()
        exporters = [_Exporter(clew.http, number, rate / _SENDERS, seconds) for number in range(_SENDERS)]
        for exporter in exporters:
            exporter.start()
        for exporter in exporters:
            exporter.join()
        lasted_s = time.monotonic() - began
        spent = clew.cpu_s() - before
        time.sleep(_CATCH_UP_S)
        sent_ns = {key: at_ns for exporter in exporters for key, at_ns in exporter.sent_ns.items()}
        delays_s, missing = _delays(clew, sent_ns)
        acknowledged_ms = [each for exporter in exporters for each in exporter.acknowledged_ms]
    sending_s = (max(sent_ns.values()) - min(sent_ns.values())) / 1e9
    yield Figure("stage events a second, sustained", len(sent_ns) / sending_s, "events", at_least=0.95 * rate)
    yield Figure("event sent to journey written, p50", percentile(delays_s, 50), "s", at_most=2)
    yield Figure("event sent to journey written, p95", percentile(delays_s, 95), "s", at_most=2)
    yield Figure("event sent to journey written, max", max(delays_s, default=0.0), "s")
    yield Figure("event sent to answer, p50", percentile(acknowledged_ms, 50), "ms")
    yield Figure("event sent to answer, p95", percentile(acknowledged_ms, 95), "ms")
    yield Figure("events in no journey", missing, "events", at_most=0)
    yield Figure("share of a core, receiving included", spent / lasted_s * 100, "%")


def _delays(clew: Clew, sent_ns: dict[tuple[str, int], int]) -> tuple[list[float], int]:
    """Seconds from each sending to the first write of a journey with so many facts, and how many have none."""
    written: dict[str, list[tuple[int, int]]] = {}
    for write in clew.order_writes():
        facts = write["version"] >> _FACTS_BIT & _FACTS_MASK
        written.setdefault(write["order_id"], []).append((facts, write["at_ns"]))
    delays_s = []
    for (order_id, facts), at_ns in sent_ns.items():
        moments = [moment for known, moment in written.get(order_id, ()) if known >= facts]
        if moments:
            delays_s.append((min(moments) - at_ns) / 1e9)
    return delays_s, len(sent_ns) - len(delays_s)
