"""Sends to a webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping

from clew.model.incident import Notice
from clew.model.secret import Secret
from clew.notify.channels.http import Call, Http, check
from clew.notify.channels.webhook.payload import build, sign


class Webhook:
    """POSTs each notice. Any 2xx is taken for an answer; receivers drop repeats by ``Clew-Notice``."""

    def __init__(self, http: Http, url: Secret, secret: Secret, token: Secret) -> None:
        """``secret`` signs (empty: unsigned), ``token`` is sent as a bearer token (empty: none)."""
        self._http, self._url, self._secret, self._token = http, url, secret, token

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:
        """Nothing to remember. Raises ChannelBusy and ChannelRefused."""
        body = json.dumps(build(notice), ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "clew-notice": notice.key}
        if self._secret:
            headers["clew-signature"] = sign(body, now_ns, self._secret)
        if self._token:
            headers["authorization"] = f"Bearer {self._token.reveal()}"
        call = Call("POST", self._url, body, headers, (self._secret, self._token))
        check(self._http.call(call), call, "check the address, and what the program behind it expects")
        return {}
