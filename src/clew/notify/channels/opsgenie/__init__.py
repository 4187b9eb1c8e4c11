"""Opsgenie: its alert API, which Atlassian ends on 2027-04-05."""

from __future__ import annotations

from clew.notify.channels.contract import PAGING, Kind, Opened
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http
from clew.notify.channels.opsgenie.sender import AlertApi

_HOSTS = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}


def _read(entry: Entry, http: Http) -> Opened | None:
    region = entry.choice("region", tuple(_HOSTS))
    api = entry.address("api", _HOSTS.get(region, ""))
    sender = AlertApi(http, api, entry.secret("api_key"), entry.texts("teams"))
    return Opened(sender, f"Opsgenie ({entry.told(api)}), which ends on 2027-04-05")


KIND = Kind("opsgenie", ("api_key", "region", "api", "teams"), _read, limited=PAGING)
