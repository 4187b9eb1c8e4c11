"""Prometheus Alertmanager as a target: its API v2."""

from __future__ import annotations

from clew.model.secret import Secret
from clew.notify.channels.alertmanager.sender import AlertsApi
from clew.notify.channels.contract import Kind, Opened
from clew.notify.channels.entry import Entry, why_no_address
from clew.notify.channels.http import Http

_MINUTE_NS = 60 * 10**9


def _read(entry: Entry, http: Http) -> Opened | None:
    urls = _addresses(entry)
    every_ns = entry.length("remind_every", _MINUTE_NS)
    headers = {}
    if token := entry.secret("token", needed=False):
        headers["authorization"] = f"Bearer {token.reveal()}"
    told = ", ".join(entry.told(each) for each in urls)
    return Opened(AlertsApi(http, urls, every_ns, headers, (token,)), f"Alertmanager ({told})")


def _addresses(entry: Entry) -> list[Secret]:
    if not (written := entry.texts("urls")):
        entry.wrong("urls", "urls is missing", "add for example urls: [http://alertmanager:9093], all of a cluster")
    for url in written:
        if problem := why_no_address(url, entry.reach()):
            entry.wrong("urls", f"an address of urls {problem[0]}", problem[1])
    return [Secret(url.rstrip("/")) for url in written]


# Alertmanager groups, silences and bounds by itself: it is told everything.
KIND = Kind("alertmanager", ("urls", "token", "remind_every"), _read, limited=frozenset())
