"""Which order the code works on: an OpenTelemetry context value, so it follows asyncio tasks, and baggage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import Token
from dataclasses import dataclass
from types import TracebackType

from opentelemetry import baggage
from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value, set_value
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, get_current_span

from clew_sdk.masking import mask
from clew_sdk.settings import DEFAULT_TRUSTED

_KEY = create_key("clew-order")
_MOST_MARKED = 100
_NOTHING: Mapping[str, str] = {}


@dataclass(slots=True)
class Trust:
    """Which baggage keys are read and sent, and which keys are masked: process-wide, written by setup()."""

    baggage: frozenset[str] = frozenset(DEFAULT_TRUSTED)
    mask: frozenset[str] = frozenset({"user.id"})


trust = Trust()


class Order:
    """What is known of the order (or orders) at work; never changed once made. ``user_id`` is as it is shown: masked.

    ``span_attributes`` are the ones every span in this context gets.
    """

    __slots__ = ("actor", "aliases", "encoded", "flow", "ids", "path", "span_attributes", "user_id")

    def __init__(
        self,
        ids: tuple[str, ...] = (),
        path: str = "",
        user_id: str = "",
        flow: str = "",
        actor: str = "",
        aliases: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.ids = ids
        self.path = path
        self.user_id = mask(user_id) if user_id and "user.id" in trust.mask else user_id
        self.flow = flow
        self.actor = actor
        self.aliases = aliases
        self.span_attributes = self._for_spans()
        self.encoded: bytes | None = None  # filled by the first stage event, for the next ones

    def _for_spans(self) -> Mapping[str, str | tuple[str, ...]]:
        attributes: dict[str, str | tuple[str, ...]] = {}
        if len(self.ids) == 1:
            attributes["order.id"] = self.ids[0]
        elif self.ids:
            attributes["order.ids"] = self.ids
        if self.path:
            attributes["order.path"] = self.path
        if self.user_id:
            attributes["user.id"] = self.user_id
        return attributes

    def with_more(self, more: Order) -> Order:
        """This order with what the other one adds or says otherwise."""
        return Order(
            more.ids or self.ids,
            more.path or self.path,
            more.user_id or self.user_id,
            more.flow or self.flow,
            more.actor or self.actor,
            {**self.aliases, **more.aliases},
        )


def current_order(context: Context | None = None) -> Order | None:
    """The innermost order() of this process, else what trusted baggage says of the caller's order, else None."""
    value = get_value(_KEY, context)
    if isinstance(value, Order):
        return value
    carried = baggage.get_all(context)
    return _from_baggage(carried) if carried else None


def _from_baggage(carried: Mapping[str, object]) -> Order | None:
    known = {key: str(value) for key, value in carried.items() if key in trust.baggage and value}
    if not known:
        return None
    ids = (known["order.id"],) if "order.id" in known else ()
    return Order(ids, known.get("order.path", ""), known.get("user.id", ""))


class order:
    """Context manager: spans, stage events and messages made inside carry the order.

    Args:
        order_id: the order's id; or give ``order_ids`` where a batch handles several.
        path: entry path of the flow, like ``b2c``.
        user_id: stored and sent masked unless setup(mask=...) leaves ``user.id`` out.
        aliases: other ids of the same order by name, like ``{"crm_deal": "D77"}``; told to Clew with each stage event.
        flow: the flow's name where there are several.
        actor: the person or machine that acts.

    The span that is open when the order is entered gets the id as well, in ``order.ids``. An inner order() of the same
    id adds to the outer one; one of another id replaces it. Several ids are not passed to
    other services, because baggage names one order. Raises ValueError when there is no id.
    """

    __slots__ = ("_order", "_token")

    def __init__(
        self,
        order_id: str | None = None,
        *,
        order_ids: Iterable[str] = (),
        path: str = "",
        user_id: str = "",
        aliases: Mapping[str, str] | None = None,
        flow: str = "",
        actor: str = "",
    ) -> None:
        ids = (str(order_id),) if order_id else tuple(str(one) for one in order_ids)
        if not ids or not all(ids):
            raise ValueError("order() needs an order id: order('4711') or order(order_ids=['4711', '4712'])")
        self._order = Order(ids, path, str(user_id), flow, actor, aliases or _NOTHING)
        self._token: Token[Context] | None = None

    def __enter__(self) -> Order:
        """Enter the order; gives what is known of it."""
        context = get_current()
        outer = get_value(_KEY, context)
        entered = self._order
        if isinstance(outer, Order) and outer.ids == entered.ids:
            entered = outer.with_more(entered)
        _mark(get_current_span(context), entered.ids)
        self._token = attach(_with_baggage(entered, set_value(_KEY, entered, context)))
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the order; exceptions pass."""
        if self._token is not None:
            detach(self._token)
            self._token = None


def _mark(span: Span, ids: tuple[str, ...]) -> None:
    """Tell the span that was open before its order was known, such as a request's, which orders it came to handle.

    As ``order.ids``, because a loop may enter several orders within one span, and an attribute can't be taken back.
    """
    if not isinstance(span, ReadableSpan) or not span.is_recording():
        return
    said = span.attributes or {}
    if "order.id" in said:
        return
    before = said.get("order.ids", ())
    known = before if isinstance(before, tuple) else ()
    if len(known) < _MOST_MARKED and not set(ids) <= set(known):
        span.set_attribute("order.ids", tuple(dict.fromkeys((*known, *ids))))


def _with_baggage(entered: Order, context: Context) -> Context:
    """The context whose baggage names this order and no other, as far as the keys are trusted."""
    for key in ("order.id", "order.path", "user.id"):
        value = entered.span_attributes.get(key)
        if isinstance(value, str) and key in trust.baggage:
            context = baggage.set_baggage(key, value, context)
        elif baggage.get_baggage(key, context) is not None:
            context = baggage.remove_baggage(key, context)
    return context
