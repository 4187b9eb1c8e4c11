"""What application code says of an order: stage(), hold(), resume()."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime

from clew_sdk.context import Order, current_order
from clew_sdk.event import Fact
from clew_sdk.sdk import handle_or_none
from clew_sdk.table import Connection
from clew_sdk.wire import Value

logger = logging.getLogger("clew_sdk")

_told_once = threading.Event()
_NOBODY = Order()


def stage(
    name: str,
    *,
    order_id: str | None = None,
    outcome: str = "ok",
    error: BaseException | str | None = None,
    error_type: str = "",
    path: str = "",
    user_id: str = "",
    aliases: Mapping[str, str] | None = None,
    actor: str = "",
    due_at: datetime | int | None = None,
    attributes: Mapping[str, Value] | None = None,
    at_ns: int | None = None,
    connection: Connection | None = None,
) -> bool:
    """The order has entered a stage: durable when this returns, sent in the background, however long that takes.

    The order is the one of the surrounding order(), or ``order_id``. With ``outcome="failed"`` the order tried to enter
    the stage and didn't: say why in ``error``. ``due_at`` is the promised date (aware datetime or Unix nanoseconds),
    ``at_ns`` the time of the event where it isn't now. With ``connection`` the event is a row in the caller's own
    transaction: both happen or neither does.

    True when the event is recorded. False, with an error in the log, when the outbox is full or its disk fails: the
    caller's work goes on. Raises ValueError without an order, and the driver's errors of ``connection``.
    """
    if not name:
        raise ValueError("stage() needs the name of a stage, like stage('SUBMITTED')")
    fact = Fact(name, outcome, error, error_type, due_at=due_at, attributes=attributes)
    return _record(fact, _order(order_id, path, user_id, aliases, actor), at_ns, connection)


def hold(
    reason: str = "", *, order_id: str | None = None, actor: str = "", connection: Connection | None = None
) -> bool:
    """The order waits on purpose: its clock stops until resume(). Returns and raises like stage()."""
    return _record(Fact(hold=True, reason=reason), _order(order_id, actor=actor), None, connection)


def resume(
    reason: str = "", *, order_id: str | None = None, actor: str = "", connection: Connection | None = None
) -> bool:
    """The hold of the order ends. Returns and raises like stage()."""
    return _record(Fact(hold=False, reason=reason), _order(order_id, actor=actor), None, connection)


def _order(
    order_id: str | None, path: str = "", user_id: str = "", aliases: Mapping[str, str] | None = None, actor: str = ""
) -> Order:
    known = current_order() or _NOBODY
    if order_id is not None and known.ids != (str(order_id),):
        known = Order((str(order_id),)) if order_id else _NOBODY
    if path or user_id or aliases or actor:
        known = known.with_more(Order((), path, user_id, "", actor, aliases or {}))
    return known


def _record(fact: Fact, order: Order, at_ns: int | None, connection: Connection | None) -> bool:
    handle = handle_or_none()
    if handle is None:
        if not _told_once.is_set():
            _told_once.set()
            logger.warning("clew_sdk.setup() was not called: stage events of this process are not recorded")
        return False
    return handle.record(fact, order, at_ns, connection)
