"""Sends to Alertmanager, again and again while an incident lasts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clew.model.errors import ChannelBusy, ChannelError
from clew.model.incident import Notice
from clew.model.secret import Secret
from clew.notify.channels.alertmanager.payload import build
from clew.notify.channels.http import Call, Http, check

_AT_ONCE = 100


class AlertsApi:
    """All members of an Alertmanager cluster: each is told, as they ask for, and one that takes it is enough."""

    def __init__(
        self,
        http: Http,
        urls: Sequence[Secret],
        remind_every_ns: int,
        headers: Mapping[str, str],
        secrets: tuple[Secret, ...] = (),
    ) -> None:
        """``urls`` are addresses without ``/api/v2``."""
        self.remind_every_ns = remind_every_ns
        self._http, self._headers, self._secrets = http, headers, secrets
        self._urls = [Secret(f"{each.reveal()}/api/v2/alerts") for each in urls]

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:
        """The severity, which a later change needs. Raises ChannelBusy and ChannelRefused."""
        self._post(build(notice, now_ns, self.remind_every_ns))
        return {"severity": notice.incident.severity.value}

    def remind(self, notices: Sequence[Notice], now_ns: int) -> None:
        """Say that these incidents last. Raises ChannelBusy and ChannelRefused."""
        for first in range(0, len(notices), _AT_ONCE):
            some = notices[first : first + _AT_ONCE]
            self._post([alert for notice in some for alert in build(notice, now_ns, self.remind_every_ns)])

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        failed: list[ChannelError] = []
        for url in self._urls:
            call = Call("POST", url, json.dumps(alerts).encode(), {**_JSON, **self._headers}, self._secrets)
            try:
                check(self._http.call(call), call, "check the address: Clew speaks Alertmanager's API v2")
            except ChannelError as error:
                failed.append(error)
        if len(failed) == len(self._urls):
            raise next((error for error in failed if isinstance(error, ChannelBusy)), failed[0])


_JSON = {"content-type": "application/json"}
