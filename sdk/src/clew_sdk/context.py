"""Which order the code works on: an OpenTelemetry context value, so it follows asyncio tasks, and baggage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import Token
from dataclasses import dataclass, field, replace
from types import TracebackType

from opentelemetry import baggage
from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value, set_value

from clew_sdk.masking import mask
from clew_sdk.settings import DEFAULT_TRUSTED

_KEY = create_key("clew-order")


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of the order (or orders) at work. ``user_id`` is already masked when the settings ask for it.

    ``span_attributes`` are the ones every span in this context gets.
    """

    ids: tuple[str, ...]
    path: str = ""
    user_id: str = ""
    flow: str = ""
    actor: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    span_attributes: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Trust:
    """Which baggage keys are read and sent, and which keys are masked: process-wide, written by setup()."""

    baggage: frozenset[str] = frozenset(DEFAULT_TRUSTED)
    mask: frozenset[str] = frozenset({"user.id"})


trust = Trust()


def current_order(context: Context | None = None) -> Order | None:
    """The innermost order() of this process, else what trusted baggage says of the caller's order, else None."""
    value = get_value(_KEY, context)
    if isinstance(value, Order):
        return value
    return _from_baggage(baggage.get_all(context))


def _from_baggage(carried: Mapping[str, object]) -> Order | None:
    if not carried:
        return None
    known = {key: str(value) for key, value in carried.items() if key in trust.baggage}
    if not known:
        return None
    if "user.id" in known and "user.id" in trust.mask:
        known["user.id"] = mask(known["user.id"])
    ids = (known["order.id"],) if known.get("order.id") else ()
    return Order(ids, known.get("order.path", ""), known.get("user.id", ""), span_attributes=known)


class order:
    """Context manager: spans, stage events and messages made inside carry the order.

    Args:
        order_id: the order's id; or give ``order_ids`` where a batch handles several.
        path: entry path of the flow, like ``b2c``.
        user_id: stored and sent masked unless setup(mask=...) leaves ``user.id`` out.
        aliases: other ids of the same order by name, like ``{"crm_deal": "D77"}``; told to Clew with each stage event.
        flow: the flow's name where there are several.
        actor: the person or machine that acts.

    An inner order() of the same id adds to the outer one; one of another id replaces it. Several ids are not passed to
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
        if not all(ids) or not ids:
            raise ValueError("order() needs an order id: order('4711') or order(order_ids=['4711', '4712'])")
        shown = mask(str(user_id)) if user_id and "user.id" in trust.mask else str(user_id)
        self._order = Order(ids, path, shown, flow, actor, aliases or {})
        self._token: Token[Context] | None = None

    def __enter__(self) -> Order:
        """Enter the order; gives what is known of it."""
        context = get_current()
        entered = _completed(self._order, get_value(_KEY, context))
        self._token = attach(_with_baggage(entered, set_value(_KEY, entered, context)))
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the order; exceptions pass."""
        if self._token is not None:
            detach(self._token)
            self._token = None


def _completed(inner: Order, outer: object) -> Order:
    if isinstance(outer, Order) and outer.ids == inner.ids:
        inner = replace(
            inner,
            path=inner.path or outer.path,
            user_id=inner.user_id or outer.user_id,
            flow=inner.flow or outer.flow,
            actor=inner.actor or outer.actor,
            aliases={**outer.aliases, **inner.aliases},
        )
    attributes: dict[str, str | tuple[str, ...]] = {}
    if len(inner.ids) == 1:
        attributes["order.id"] = inner.ids[0]
    else:
        attributes["order.ids"] = inner.ids
    if inner.path:
        attributes["order.path"] = inner.path
    if inner.user_id:
        attributes["user.id"] = inner.user_id
    return replace(inner, span_attributes=attributes)


def _with_baggage(entered: Order, context: Context) -> Context:
    """The context whose baggage names this order and no other, as far as the keys are trusted."""
    for key in ("order.id", "order.path", "user.id"):
        value = entered.span_attributes.get(key)
        if isinstance(value, str) and key in trust.baggage:
            context = baggage.set_baggage(key, value, context)
        elif baggage.get_baggage(key, context) is not None:
            context = baggage.remove_baggage(key, context)
    return context
