"""The traffic that benchmarks send: traces of a shop with twelve services, as protobuf with holes.

A round is some hundred traces of about fifteen spans, spread over export requests of one service each, as exporters
send them. What must differ from round to round (ids, times, order numbers) is a hole: a marker and a number, which
``bench.holes`` finds in the bytes and fills anew for each sending.

    round = traces x about 15 spans -> by service -> requests of 512 spans
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE, SPAN, TIME = b"\xf1\x9a\xc3T", b"\xf1\x9a\xc3S", b"\xf1\x9a\xc3M"
ORDER = "ord~"
STAGES = (
    "INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED", "PACKAGING",
)  # fmt: skip
SERVICES = (
    "shop-web", "shop-api", "cart", "catalog", "auth", "payment", "crm-api", "crm-worker", "mes-api", "mes-worker",
    "notify", "shipping",
)  # fmt: skip
_DATABASES = ("postgresql", "postgresql", "postgresql", "redis", "mongodb")
_VERBS = ("GET", "GET", "GET", "POST", "PUT", "PATCH")
_THINGS = ("orders", "carts", "items", "prices", "files", "jobs", "customers", "sessions")
SPANS_A_REQUEST = 512
SPANS_A_TRACE = 15


def trace_hole(index: int) -> bytes:
    """Sixteen bytes that stand for a trace id."""
    return TRACE + index.to_bytes(4) + bytes(8)


def span_hole(index: int) -> bytes:
    """Eight bytes that stand for a span id."""
    return SPAN + index.to_bytes(4)


def time_hole(offset_us: int) -> int:
    """A fixed64 that stands for a time so many microseconds after the round's begin."""
    return int.from_bytes(TIME + offset_us.to_bytes(4), "little")


def order_hole(order: int, step: int) -> str:
    """Twelve characters that stand for the number of the order that takes this step in this round."""
    return f"{ORDER}{order:04d}{step:04d}"


@dataclass(slots=True)
class Round:
    """Serialized requests with holes, and how many holes of each kind there are."""

    requests: list[bytes]
    spans_a_request: list[int]
    traces: int
    spans: int
    orders: int


@dataclass(slots=True)
class _Shop:
    """Builds the spans of one round."""

    chance: random.Random
    spans: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    def trace(self, index: int, order: str, stage: str) -> None:
        size = self.count + self.chance.randint(8, 22)
        start_us = self.chance.randrange(200_000)
        root = self._span("shop-web", index, b"", start_us, 40_000, Span.SPAN_KIND_SERVER, order)
        parents = [(root, "shop-web", start_us, 40_000)]
        while self.count < size:
            parents += self._call(index, self.chance.choice(parents), order)
        if stage:
            attributes = attributes_of({"order.id": order, "order.stage": stage, "order.path": "b2c"})
            root.events.add(name="order.stage", time_unix_nano=time_hole(start_us + 500), attributes=attributes)
        if self.chance.random() < 0.2:
            root.links.add(trace_id=trace_hole(max(0, index - 1)), span_id=span_hole(0))

    def _call(self, index: int, caller: tuple[Span, str, int, int], order: str) -> list[tuple[Span, str, int, int]]:
        """One thing that a span does: ask another service, ask a database, publish a message, or work by itself."""
        parent, service, start_us, lasts_us = caller
        begin_us, length_us = start_us + self.chance.randint(5, 900), max(20, lasts_us // self.chance.randint(2, 6))
        what, near = self.chance.random(), (index, parent.span_id, begin_us, length_us)
        if what < 0.45:
            self._span(service, *near, Span.SPAN_KIND_CLIENT, order, database=True)
            return []
        if what < 0.55:
            return [(self._span(service, *near, Span.SPAN_KIND_INTERNAL, order), service, begin_us, length_us)]
        other = self.chance.choice(SERVICES[1:])
        message = what > 0.965
        kinds = (Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER) if message else (3, 2)
        near = (index, parent.span_id, begin_us, length_us + 10)
        asks = self._span(service, *near, kinds[0], order, message=message)
        near = (index, asks.span_id, begin_us + 5, length_us)
        return [(self._span(other, *near, kinds[1], order, message=message), other, begin_us + 5, length_us)]

    def _span(
        self, service: str, trace: int, parent: bytes, start_us: int, lasts_us: int, kind: int, order: str,
        *, database: bool = False, message: bool = False,
    ) -> Span:  # fmt: skip
        name, attributes = self._work(service, kind, database, message)
        fixed = {"thread.id": self.chance.randint(1, 64), "code.function.name": f"handle_{name.split()[-1].strip('/')}"}
        if order:
            fixed["order.id"] = order
        span = Span(
            trace_id=trace_hole(trace),
            span_id=span_hole(self.count),
            parent_span_id=parent,
            name=name,
            kind=kind,  # type: ignore[arg-type]
            start_time_unix_nano=time_hole(start_us),
            end_time_unix_nano=time_hole(start_us + lasts_us),
            attributes=attributes_of(attributes | fixed),
        )
        if self.chance.random() < 0.02:
            self._fail(span, start_us)
        self.spans[service].append(span)
        self.count += 1
        return span

    def _work(self, service: str, kind: int, database: bool, message: bool) -> tuple[str, dict[str, object]]:
        chance = self.chance
        thing = chance.choice(_THINGS)
        if message:
            queue = f"{thing}.{chance.choice(('created', 'changed'))}"
            taken = {"clew.message.queue": queue, "clew.message.settlement": "ack"} if kind == 5 else {}
            return f"{'send' if kind == 4 else 'process'} {queue}", taken | {
                "messaging.system": "rabbitmq",
                "messaging.operation.type": "send" if kind == 4 else "process",
                "messaging.destination.name": f"shop:{queue}" + (f":{queue}" if kind == 5 else ""),
                "messaging.message.id": f"{chance.getrandbits(64):016x}",
                "messaging.message.body.size": chance.randint(80, 4000),
                "server.address": "rabbitmq",
                "server.port": 5672,
            }
        if database:
            system = chance.choice(_DATABASES)
            return f"SELECT {thing}", {
                "db.system.name": system,
                "db.namespace": service.split("-")[0],
                "db.operation.name": "SELECT",
                "db.collection.name": thing,
                "db.query.text": f"SELECT * FROM {thing} WHERE id = $1 LIMIT {chance.choice((1, 10, 50))}",
                "db.response.returned_rows": chance.randint(0, 50),
                "server.address": f"{service.split('-')[0]}-db",
                "server.port": 5432,
            }
        verb = chance.choice(_VERBS)
        return f"{verb} /{thing}", {
            "http.request.method": verb,
            "http.route": f"/{thing}/{{id}}",
            "url.path": f"/{thing}/{chance.randint(1, 100_000)}",
            "url.scheme": "http",
            "http.response.status_code": chance.choice((200, 200, 200, 200, 201, 204, 404)),
            "network.protocol.version": "1.1",
            "server.address": f"{service}.shop.svc",
            "user.id": f"u-{chance.randint(1, 5_000)}",
        }

    def _fail(self, span: Span, start_us: int) -> None:
        span.status.code = 2  # type: ignore[assignment]
        span.status.message = "upstream answered 500"
        attributes = attributes_of({"exception.type": "TimeoutError", "exception.message": "no answer after 1000 ms"})
        span.events.add(name="exception", time_unix_nano=time_hole(start_us + 10), attributes=attributes)


def attributes_of(values: dict[str, object]) -> list[KeyValue]:
    """Attributes of texts and integers."""
    return [
        KeyValue(key=key, value=AnyValue(int_value=value)) if isinstance(value, int) else _text(key, str(value))
        for key, value in values.items()
    ]


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def request_of(service: str, spans: list[Span], host: int = 1) -> ExportTraceServiceRequest:
    """An export request as one instance of a service sends it."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        attributes_of(
            {
                "service.name": service,
                "service.version": "4.2.1",
                "service.instance.id": f"{service}-{host}",
                "host.name": f"node-{host}",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": "1.45.0",
            }
        )
    )
    scope = resource.scope_spans.add(spans=spans).scope
    scope.name, scope.version = "opentelemetry.instrumentation.fastapi", "0.66b0"
    return request


def make_round(seed: int = 7, requests: int = 24, spans_a_request: int = SPANS_A_REQUEST) -> Round:
    """A round of about so many requests. One trace in five belongs to an order, half of these enter a stage.

    What is left of each service goes out together, as a Collector sends it.
    """
    shop = _Shop(random.Random(seed))
    traces = requests * spans_a_request // SPANS_A_TRACE
    orders = max(1, traces // (5 * len(STAGES)))
    for index in range(traces):
        order, step = divmod(index, len(STAGES))
        named = order_hole(order, step) if order < orders else ""
        shop.trace(index, named, STAGES[step] if named and order % 2 == 0 else "")
    built = list(_requests(shop.spans, spans_a_request))
    sizes = [sum(len(part) for _, part in parts) for parts in built]
    return Round([_serialized(parts) for parts in built], sizes, traces, shop.count, orders)


_Part = tuple[str, list[Span]]


def _requests(spans: dict[str, list[Span]], size: int) -> Iterator[list[_Part]]:
    rest: list[_Part] = []
    for service, all_of_it in spans.items():
        for at in range(0, len(all_of_it), size):
            part = all_of_it[at : at + size]
            if len(part) == size:
                yield [(service, part)]
                continue
            room = size - sum(len(each) for _, each in rest)
            if len(part) >= room:
                yield [*rest, (service, part[:room])]
                rest, part = [], part[room:]
            rest.append((service, part))
    yield rest


def _serialized(parts: list[_Part]) -> bytes:
    request = ExportTraceServiceRequest()
    for service, spans in parts:
        request.MergeFrom(request_of(service, spans))
    return request.SerializeToString()
