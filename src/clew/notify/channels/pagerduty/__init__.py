"""PagerDuty: Events API v2, and its webhooks back."""

from __future__ import annotations

from functools import partial

from clew.notify.channels.contract import PAGING, Kind, Opened
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http
from clew.notify.channels.pagerduty.interaction import parse
from clew.notify.channels.pagerduty.sender import EventsApi

_HOSTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
_KEY_LENGTH = 32


def _read(entry: Entry, http: Http) -> Opened | None:
    key = entry.secret("routing_key")
    if key and len(key.reveal()) != _KEY_LENGTH:
        entry.wrong(
            "routing_key", f"routing_key has not {_KEY_LENGTH} characters", "take that of an Events API v2 integration"
        )
    region = entry.choice("region", tuple(_HOSTS))
    api = entry.address("api", _HOSTS.get(region, ""))
    back = entry.secret("webhook_secret", needed=False)
    told = f"PagerDuty ({entry.told(api)})"
    return Opened(EventsApi(http, api, key), told, partial(parse, secret=back) if back else None)


KIND = Kind("pagerduty", ("routing_key", "region", "api", "webhook_secret"), _read, limited=PAGING)
