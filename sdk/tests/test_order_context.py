"""order(): what is made inside carries the order, and nothing outside does."""

import asyncio
from collections.abc import Iterator

import clew_sdk
import pytest
from clew_sdk.context import current_order, trust
from clew_sdk.tracing import OrderAttributes
from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


@pytest.fixture
def attributes(provider: TracerProvider, exporter: InMemorySpanExporter):
    """The attributes that a span started now gets."""

    def of_a_new_span(**given: str) -> dict[str, object]:
        provider.get_tracer("shop").start_span("work", attributes=given).end()
        return dict(exporter.get_finished_spans()[-1].attributes)

    return of_a_new_span


@pytest.fixture
def _carried() -> Iterator[None]:
    """A stranger's request: baggage that names an order, and more."""
    carrier = {"baggage": "order.id=4711,user.id=user-20931,customer.email=ivan%40example.org,order.path=b2b"}
    token = attach(W3CBaggagePropagator().extract(carrier))
    yield
    detach(token)


def test_spans_inside_carry_order_path_and_masked_user(attributes) -> None:
    with clew_sdk.order("4711", path="b2c", user_id="user-20931"):
        assert attributes() == {"order.id": "4711", "order.path": "b2c", "user.id": "…0931"}
    assert attributes() == {}


def test_what_a_span_says_itself_wins(attributes) -> None:
    with clew_sdk.order("4711", path="b2c"):
        assert attributes(**{"order.id": "4712"}) == {"order.id": "4712", "order.path": "b2c"}


def test_an_inner_order_of_another_id_replaces_the_outer_until_it_ends(attributes) -> None:
    with clew_sdk.order("4711", path="b2c"):
        with clew_sdk.order("4712"):
            assert attributes() == {"order.id": "4712"}
            assert baggage.get_all() == {"order.id": "4712"}
        assert attributes() == {"order.id": "4711", "order.path": "b2c"}


def test_an_inner_order_of_the_same_id_adds_to_the_outer(attributes) -> None:
    with (
        clew_sdk.order("4711", path="b2c", aliases={"crm_deal": "D77"}),
        clew_sdk.order("4711", user_id="user-20931", aliases={"mes_job": "J9"}) as both,
    ):
        assert attributes() == {"order.id": "4711", "order.path": "b2c", "user.id": "…0931"}
        assert both.aliases == {"crm_deal": "D77", "mes_job": "J9"}


def test_several_orders_are_told_as_a_list_and_not_passed_on(attributes) -> None:
    with clew_sdk.order("1"), clew_sdk.order(order_ids=["4711", "4712"]):
        assert attributes() == {"order.ids": ("4711", "4712")}
        assert baggage.get_all() == {}


@pytest.mark.parametrize("ids", [{}, {"order_id": ""}, {"order_ids": []}, {"order_ids": ["4711", ""]}])
def test_an_order_without_an_id_is_a_mistake(ids) -> None:
    with pytest.raises(ValueError, match="order id"):
        clew_sdk.order(**ids)


def test_the_order_ends_with_an_error_as_well(attributes) -> None:
    with pytest.raises(KeyError), clew_sdk.order("4711"):
        raise KeyError
    assert attributes() == {}


async def test_tasks_work_on_their_own_orders(attributes) -> None:
    barrier = asyncio.Event()

    async def work(order_id: str) -> object:
        with clew_sdk.order(order_id):
            await barrier.wait()
            return attributes()["order.id"]

    tasks = [asyncio.create_task(work(str(number))) for number in range(5)]
    await asyncio.sleep(0)
    barrier.set()
    assert await asyncio.gather(*tasks) == ["0", "1", "2", "3", "4"]
    assert attributes() == {}


def test_the_next_service_knows_the_order_from_baggage(attributes) -> None:
    wire: dict[str, str] = {}
    propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    with clew_sdk.order("47/11 ä", path="b2c", user_id="user-20931"):
        propagator.inject(wire)
    assert "user-20931" not in str(wire)

    token = attach(propagator.extract(wire))
    try:
        assert attributes() == {"order.id": "47/11 ä", "order.path": "b2c", "user.id": "…0931"}
    finally:
        detach(token)


@pytest.mark.usefixtures("_carried")
def test_only_trusted_baggage_reaches_spans_and_it_is_masked(attributes) -> None:
    assert attributes() == {"order.id": "4711", "order.path": "b2b", "user.id": "…0931"}


@pytest.mark.usefixtures("_carried")
def test_a_service_that_trusts_nobody_copies_nothing_and_still_knows_its_own_orders(attributes, monkeypatch) -> None:
    monkeypatch.setattr(trust, "baggage", frozenset())
    assert attributes() == {}
    assert current_order() is None
    with clew_sdk.order("1"):
        assert attributes() == {"order.id": "1"}


@pytest.mark.usefixtures("_carried")
def test_an_own_order_leaves_no_foreign_order_in_the_baggage_it_sends() -> None:
    wire: dict[str, str] = {}
    with clew_sdk.order("4712"):
        W3CBaggagePropagator().inject(wire)
    assert "order.id=4712" in wire["baggage"]
    assert "4711" not in wire["baggage"]
    assert "user-20931" not in wire["baggage"]


def test_the_propagator_in_use_carries_both(attributes) -> None:
    assert {"traceparent", "baggage"} <= propagate.get_global_textmap().fields


def test_a_provider_of_the_application_gets_the_same_attributes(exporter: InMemorySpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(OrderAttributes())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with clew_sdk.order("4711", path="b2c"):
        provider.get_tracer("shop").start_span("work", attributes={"order.id": "4712"}).end()
    provider.shutdown()
    assert dict(exporter.get_finished_spans()[0].attributes) == {"order.id": "4712", "order.path": "b2c"}


def test_the_span_that_was_open_before_learns_which_orders_it_handled(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    with provider.get_tracer("shop").start_as_current_span("POST /orders"):
        for order_id in ("4711", "4712", "4711"):
            with clew_sdk.order(order_id):
                pass
    assert exporter.get_finished_spans()[-1].attributes == {"order.ids": ("4711", "4712")}


def test_a_span_that_names_its_order_keeps_it(provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
    with (
        provider.get_tracer("shop").start_as_current_span("work", attributes={"order.id": "1"}),
        clew_sdk.order("2"),
    ):
        pass
    assert exporter.get_finished_spans()[-1].attributes == {"order.id": "1"}
