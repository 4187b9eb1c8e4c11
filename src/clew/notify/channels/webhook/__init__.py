"""A webhook: a signed JSON document to a program of one's own."""

from __future__ import annotations

from clew.notify.channels.contract import PAGING, Kind, Opened
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http
from clew.notify.channels.webhook.sender import Webhook


def _read(entry: Entry, http: Http) -> Opened | None:
    url = entry.address("url")
    hidden = entry.text("url").startswith(("env:", "file:"))
    sender = Webhook(http, url, entry.secret("secret", needed=False), entry.secret("token", needed=False))
    return Opened(sender, "a webhook at " + ("an address that is kept secret" if hidden else entry.told(url)))


KIND = Kind("webhook", ("url", "secret", "token"), _read, limited=PAGING)
