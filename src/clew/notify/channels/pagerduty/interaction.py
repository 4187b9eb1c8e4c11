"""What happened in PagerDuty, told by its webhooks v3 (developer.pagerduty.com, "Webhooks overview"). Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from clew.model.secret import Secret
from clew.notify.channels.contract import OLDEST_NS, Action, NotGenuine, NotUnderstood, Wish
from clew.notify.channels.keys import incident_of
from clew.notify.channels.texts import cut, line

_WISHES = {
    "incident.acknowledged": Wish.ACKNOWLEDGE,
    "incident.unacknowledged": Wish.UNACKNOWLEDGE,
    "incident.resolved": Wish.RESOLVE,
}


def parse(body: bytes, headers: Mapping[str, str], now_ns: int, secret: Secret) -> Action | None:
    """What was done to an incident; None for other events, and for incidents that aren't Clew's.

    ``headers`` are looked up in small letters. PagerDuty's signature holds no time, but what it signs does: an event
    that is too old is one that somebody sends again. Raises NotGenuine and NotUnderstood.
    """
    verify(body, headers.get("x-pagerduty-signature", ""), secret)
    try:
        event = json.loads(body)["event"]
        kind, data, agent = event["event_type"], event["data"], event.get("agent") or {}
        key = str(data.get("incident_key", ""))
        name = str(agent.get("summary") or agent.get("id") or "somebody")
        at_ns = int(datetime.fromisoformat(event["occurred_at"]).timestamp()) * 10**9
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotUnderstood("the request holds no event of PagerDuty's webhooks v3") from error
    if now_ns - at_ns > OLDEST_NS:
        raise NotGenuine("what happened in PagerDuty is more than two days old, or this machine's clock is wrong")
    wish, incident_id = _WISHES.get(str(kind)), incident_of(key)
    if wish is None or incident_id is None:
        return None
    return Action(incident_id, key, wish, cut(line(name), 80) + " (PagerDuty)")


def verify(body: bytes, signatures: str, secret: Secret) -> None:
    """Return when one of the signatures is of the secret: while it is changed, there are two. Raises NotGenuine."""
    expected = sign(body, secret).encode()
    given = (each.strip().encode("utf-8", "replace") for each in signatures.split(","))
    if not secret or not any(hmac.compare_digest(expected, each) for each in given):
        raise NotGenuine("the signature is not one of the webhook secret; compare it with that of the subscription")


def sign(body: bytes, secret: Secret) -> str:
    """The signature of a body, version 1."""
    return "v1=" + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
