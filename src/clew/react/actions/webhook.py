"""Tells a program by a POST that says which run it is.

``Clew-Run`` is the same in every attempt, so the program drops what it has heard already.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from clew.model.reaction import Webhook
from clew.model.secret import Secret
from clew.react.actions.contract import Lack, Occasion, Outside, Post
from clew.react.actions.failures import ActionFailed


def call_webhook(action: Webhook, occasion: Occasion, outside: Outside) -> str:
    """Tell it; what it answered in words. A dry run only sees whether it could be called. Raises ActionFailed."""
    for lack in lacks_of_webhook(action, outside):
        raise ActionFailed(f"{action.target} can't be called: {lack.told}")
    post = Post(
        url=_address(action, outside),
        body=payload(occasion),
        headers={"content-type": "application/json", "clew-run": str(occasion.run_id)},
        secret=outside.find(action.secret) if action.secret else Secret(""),
        allow_private=action.allow_private,
        timeout_s=action.timeout_ns / 10**9,
    )
    if occasion.dry:
        outside.poster.check(post)
        return f"would call {action.target}"
    return f"{action.target} answered {outside.poster.send(post)}"


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


def lacks_of_webhook(action: Webhook, outside: Outside) -> Iterator[Lack]:
    """What keeps a program from being called: a secret, or the address where that is one."""
    missing = [*outside.lacks("url", action.url)] if _is_secret(action.url) else []
    if not missing and not _address(action, outside).reveal().startswith(("https://", "http://")):
        missing = [Lack("url", f"{action.url} holds no address", "write https://… there")]
    yield from missing
    if action.secret:
        yield from outside.lacks("secret", action.secret)


def _address(action: Webhook, outside: Outside) -> Secret:
    return outside.find(action.url) if _is_secret(action.url) else Secret(action.url)


def _is_secret(url: str) -> bool:
    return url.startswith(("env:", "file:"))
