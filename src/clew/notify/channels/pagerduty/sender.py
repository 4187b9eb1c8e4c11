"""Sends to PagerDuty's Events API v2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clew.model.incident import Notice, NoticeKind
from clew.model.secret import Secret
from clew.notify.channels.http import Call, Http, check
from clew.notify.channels.pagerduty.payload import build, build_end


class EventsApi:
    """Events of one integration."""

    def __init__(self, http: Http, api: Secret, routing_key: Secret) -> None:
        """``api`` is the address without its path."""
        self._http, self._url, self._key = http, Secret(f"{api.reveal()}/v2/enqueue"), routing_key

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:  # noqa: ARG002
        """The dedup key. PagerDuty drops repeats by it. Raises ChannelBusy and ChannelRefused."""
        event = build(notice)
        self._enqueue(event)
        if notice.kind is NoticeKind.TEST:
            self._enqueue(build_end(notice))
        return {"dedup_key": str(event["dedup_key"])}

    def _enqueue(self, event: dict[str, Any]) -> None:
        body = json.dumps(event | {"routing_key": self._key.reveal()}).encode()
        call = Call("POST", self._url, body, {"content-type": "application/json"}, (self._key,))
        check(self._http.call(call), call, "check routing_key: it must be of an Events API v2 integration")
