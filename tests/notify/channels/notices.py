"""Notices as the outbox hands them out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from clew.flow.nodes import Reader
from clew.model.incident import Incident, IncidentState, Notice, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels.addresses import Reach
from clew.notify.channels.contract import Channel
from clew.notify.channels.http import Http
from clew.notify.channels.registry import Registry

AT = 1_795_348_800_000_000_000  # 2026-11-22 12:00 UTC
MINUTE = 60 * 10**9

INCIDENT = Incident(
    id=7,
    key="stuck|SUBMITTED",
    rule="stuck orders",
    title="Orders are stuck in SUBMITTED",
    severity=Severity.ERROR,
    state=IncidentState.OPEN,
    labels={"stage": "SUBMITTED", "flow": "jeweller", "service": "crm-worker"},
    since_ns=AT - 34 * MINUTE,
    fired_ns=AT - MINUTE,
    opened_ns=AT - MINUTE,
    owner="CRM team",
    runbook="https://wiki.example.org/stuck?a=1&b=2",
    reason="Nobody has taken order 4711 from crm.orders for 34 min.",
    alerts=12,
    firing=11,
)

NOTICE = Notice(
    INCIDENT, NoticeKind.OPENED, AT, number=1,
    order_ids=("4711", "4712"), orders=12, trace_ids=("4bf92f3577b34da6a3ce929d0e0e4736",),
    reasons=("Order 4712 waits for 20 min.",), url="https://clew.example.org/incidents/7",
)  # fmt: skip


def notice(kind: NoticeKind = NoticeKind.OPENED, number: int = 1, **changes: Any) -> Notice:
    """A notice of a kind, whose incident is in the state that goes with it; ``refs`` and the like as given."""
    incident = changes.pop("incident", INCIDENT)
    match kind:
        case NoticeKind.ACKNOWLEDGED:
            acknowledged = {"acknowledged_ns": AT, "acknowledged_by": "Anna"}
            incident = replace(incident, state=IncidentState.ACKNOWLEDGED, **acknowledged)
        case NoticeKind.RESOLVED:
            incident = replace(incident, state=IncidentState.RESOLVED, resolved_ns=AT, resolved_by="clew", firing=0)
    return replace(NOTICE, kind=kind, number=number, incident=incident, **changes)


def open_channel(text: str, env: dict[str, str] | None = None, http: Http | None = None) -> Channel:
    """The channel that a line of YAML describes."""
    channel, problems = read_channel(text, env, http)
    assert channel is not None, problems
    return channel


def read_channel(
    text: str, env: dict[str, str] | None = None, http: Http | None = None
) -> tuple[Channel | None, list[Any]]:
    """The channel, and the mistakes in its line."""
    reader = Reader()
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return Registry(env or {}, http=http or Http(timeout_s=60.0)).read(
        "duty", node, "channels.duty", reader
    ), reader.problems


LOOPBACK = Reach(hosts=frozenset({"127.0.0.1"}))
