"""Sends to Opsgenie's alert API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from clew.model.incident import Notice
from clew.model.secret import Secret
from clew.notify.channels.http import Answer, Call, Http, check
from clew.notify.channels.keys import notice_key
from clew.notify.channels.opsgenie.payload import build


class AlertApi:
    """Alerts of one integration. Opsgenie answers 202 before it has done anything; the request id tells more there."""

    def __init__(self, http: Http, api: Secret, key: Secret, teams: Sequence[str] = ()) -> None:
        """``api`` is the address without its path; ``teams`` are told beside those of the integration."""
        self._http, self._api, self._key, self._teams = http, api, key, tuple(teams)

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:  # noqa: ARG002
        """The alias, by which Opsgenie drops repeats, and the id of the last request. Raises ChannelBusy and
        ChannelRefused."""
        told = {"alias": notice_key(notice)}
        headers = {"content-type": "application/json", "authorization": f"GenieKey {self._key.reveal()}"}
        for request in build(notice, self._teams):
            url = Secret(f"{self._api.reveal()}/v2/alerts{request.path}")
            call = Call(request.method, url, json.dumps(request.body).encode(), headers, (self._key,))
            answer = check(self._http.call(call), call, "check api_key, and region for an account in the EU")
            told["request_id"] = _request_id(answer)
        return told


def _request_id(answer: Answer) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return ""
    return str(said.get("requestId", ""))[:100] if isinstance(said, dict) else ""
