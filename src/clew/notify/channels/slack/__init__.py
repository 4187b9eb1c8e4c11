"""Slack: one thread for each incident over the Web API, or messages over an incoming webhook."""

from __future__ import annotations

from functools import partial

from clew.notify.channels.contract import PAGING, SPOKEN, Kind, Opened
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http
from clew.notify.channels.slack.interaction import parse
from clew.notify.channels.slack.payload import SlackOptions
from clew.notify.channels.slack.sender import WebApi, Webhook


def _read(entry: Entry, http: Http) -> Opened | None:
    signing = entry.secret("signing_secret", needed=False)
    back = partial(parse, secret=signing) if signing else None
    if entry.has("webhook"):
        if entry.has("token"):
            entry.wrong("webhook", "webhook and token are both here", "keep token and channel: only they make threads")
        url = entry.address("webhook", secret=True)
        sender = Webhook(http, url, SlackOptions(buttons=bool(signing)))
        return Opened(sender, "an incoming webhook", back, limited=SPOKEN)  # an end is one more message
    channel = entry.needed("channel", "C024BE91L")
    options = SlackOptions(channel, buttons=bool(signing))
    api = entry.address("api", "https://slack.com/api")
    return Opened(WebApi(http, api, entry.secret("token"), options), f"Slack's channel {channel}", back)


KIND = Kind("slack", ("webhook", "token", "channel", "signing_secret", "api"), _read, limited=PAGING)
