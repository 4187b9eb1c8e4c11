"""Tells a program by a POST that says which run it is.

``Clew-Run`` is the same in every attempt, so the program drops what it has heard already.
"""

from __future__ import annotations

import json

from clew.model.reaction import Webhook
from clew.model.secret import Secret
from clew.react.actions.contract import Occasion, Outside, Post
from clew.react.actions.failures import ActionFailed


def call_webhook(action: Webhook, occasion: Occasion, outside: Outside) -> str:
    """Tell it; what it answered in words. A dry run only sees whether it could be called. Raises ActionFailed."""
    post = Post(
        url=_address(action, outside),
        body=payload(occasion),
        headers={"content-type": "application/json", "clew-run": str(occasion.run_id)},
        secret=_secret(action.secret, action, outside) if action.secret else Secret(""),
        allow_private=action.allow_private,
        timeout_s=action.timeout_ns / 10**9,
    )
    if occasion.dry:
        outside.poster.check(post)
        return f"would call {action.target}"
    return f"{action.target} answers {outside.poster.send(post)}"


def payload(occasion: Occasion) -> bytes:
    """What is sent: the run, and the incident that it is for."""
    incident = occasion.incident
    told = {
        "reaction": occasion.reaction,
        "run": occasion.run_id,
        "at_unix_s": occasion.at_ns // 10**9,
        "incident": {
            "id": incident.id,
            "rule": incident.rule,
            "title": incident.title,
            "severity": incident.severity.value,
            "state": incident.state.value,
            "reason": incident.reason,
            "labels": dict(incident.labels),
            "firing": incident.firing,
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _address(action: Webhook, outside: Outside) -> Secret:
    if not action.url.startswith(("env:", "file:")):
        return Secret(action.url)
    url = _secret(action.url, action, outside)
    if not url.reveal().startswith(("https://", "http://")):
        raise ActionFailed(f"{action.target} has no address where its 'url' leads; write https://… there")
    return url


def _secret(place: str, action: Webhook, outside: Outside) -> Secret:
    try:
        return outside.find(place)
    except ValueError as error:
        raise ActionFailed(f"{action.target} lacks a secret: {error}") from None
