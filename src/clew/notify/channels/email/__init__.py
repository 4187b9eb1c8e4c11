"""E-mail over SMTP: one thread for each incident."""

from __future__ import annotations

import re

from clew.notify.channels.contract import Kind, Opened
from clew.notify.channels.email.payload import MailOptions
from clew.notify.channels.email.sender import Server, Smtp
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
# A plain address: no names beside it, no comments, nothing that could end a header.
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+", re.ASCII)


def _read(entry: Entry, http: Http) -> Opened | None:
    to, sender = entry.texts("to"), entry.needed("from", "clew@example.org")
    if not to:
        entry.wrong("to", "to is missing", "add for example to: [duty@example.org]")
    for name, address in [*(("to", each) for each in to), *([("from", sender)] if sender else [])]:
        if not _ADDRESS.fullmatch(address):
            entry.wrong(name, f"{address!r} is no e-mail address", "write it alone, such as duty@example.org")
    server = _server(entry)
    told = f"e-mail to {', '.join(to)} by {server.host}:{server.port}"
    return Opened(Smtp(http, server, MailOptions(sender, to)), told)


def _server(entry: Entry) -> Server:
    tls = entry.choice("tls", tuple(_PORTS))
    host, _, port = entry.needed("server", "smtp.example.org:587").partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65_536):
        entry.wrong("server", f"{port!r} is no port", "write for example server: smtp.example.org:587")
        port = ""
    user = entry.text("username")
    password = entry.secret("password", needed=bool(user))
    if password and not user:
        entry.wrong("password", "password is here without username", "add username")
    if password and tls == "none":
        entry.wrong("tls", "a password would be sent unencrypted", "write tls: starttls or tls: tls")
    return Server(host, int(port or _PORTS.get(tls, 587)), tls, user, password)


KIND = Kind("email", ("to", "from", "server", "tls", "username", "password"), _read)
