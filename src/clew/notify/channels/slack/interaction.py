"""A button pressed in Slack (docs.slack.dev, ``block_actions`` payload). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from clew.model.secret import Secret
from clew.notify.channels.contract import Action, NotUnderstood, Wish
from clew.notify.channels.keys import incident_of
from clew.notify.channels.slack.payload import ACKNOWLEDGE, SILENCE, SILENCE_NS
from clew.notify.channels.slack.verify import verify
from clew.notify.channels.texts import cut, line

_WISHES = {ACKNOWLEDGE: (Wish.ACKNOWLEDGE, None), SILENCE: (Wish.SILENCE, SILENCE_NS)}


def parse(body: bytes, headers: Mapping[str, str], now_ns: int, secret: Secret) -> Action | None:
    """What the person wants who pressed a button; None for presses that are nothing of Clew's.

    ``headers`` are looked up in small letters. Raises NotGenuine, and NotUnderstood for another form.
    """
    verify(body, headers, now_ns, secret)
    try:
        payload = json.loads(parse_qs(body.decode("utf-8"))["payload"][0])
    except (ValueError, KeyError) as error:
        raise NotUnderstood("the request holds no payload of Slack") from error
    if not isinstance(payload, dict):
        raise NotUnderstood("the payload is no object")
    if payload.get("type") != "block_actions":
        return None
    pressed = payload.get("actions")
    for each in pressed if isinstance(pressed, list) else ():
        if isinstance(each, dict) and (action := _action(each, payload.get("user"))):
            return action
    return None


def _action(pressed: dict[str, Any], user: object) -> Action | None:
    wish, silence_ns = _WISHES.get(str(pressed.get("action_id")), (None, None))
    key = str(pressed.get("value", ""))
    incident_id = incident_of(key)
    if wish is None or incident_id is None:
        return None
    return Action(incident_id, key, wish, _name(user), silence_ns)


def _name(user: object) -> str:
    found = user if isinstance(user, dict) else {}
    names = (found.get(each) for each in ("name", "username", "id"))
    return cut(line(str(next(filter(None, names), "somebody"))), 80) + " (Slack)"
