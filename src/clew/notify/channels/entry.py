"""An entry of notify.yaml, a channel or the heartbeat: its keys, with every mistake noted at its place."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import yaml

from clew.flow.durations import parse_duration
from clew.flow.nodes import Reader, join
from clew.model.secret import Secret
from clew.notify.channels.addresses import Reach, why_refused
from clew.notify.channels.secrets import Secrets

COMMON = ("kind", "allow_private", "proxy")


@dataclass(frozen=True, slots=True)
class Entry:
    """The values of an entry by key; ``key`` is the dotted way to it, ``label`` what mistakes call it."""

    label: str
    key: str
    values: Mapping[str, yaml.Node]
    reader: Reader
    secrets: Secrets

    def has(self, name: str) -> bool:
        """Whether the key is there."""
        return name in self.values

    def wrong(self, name: str, cause: str, mend: str) -> None:
        """Note a mistake in the value of a key, or in the entry when the key is missing."""
        self.reader.report(join(self.key, name), f"{self.label}: {cause}", mend, self.values.get(name))

    def text(self, name: str, default: str = "") -> str:
        """The text of a key."""
        return self.reader.text(self.values.get(name), join(self.key, name)) or default

    def needed(self, name: str, such_as: str) -> str:
        """The text of a key that must be there."""
        text = self.text(name)
        if not text:
            self.wrong(name, f"{name} is missing", f"add for example {name}: {such_as}")
        return text

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list, or of the one value that is there."""
        return self.reader.texts(self.values.get(name), join(self.key, name))

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of these words, the first by default."""
        text = self.text(name, known[0])
        if text not in known:
            self.wrong(name, f"{name} is {text!r}", f"write one of {', '.join(known)}")
        return text

    def length(self, name: str, default_ns: int) -> int:
        """A length of time in nanoseconds."""
        text = self.text(name)
        try:
            return parse_duration(text) if text else default_ns
        except ValueError as error:
            self.wrong(name, str(error), "write for example 1m")
            return default_ns

    def secret(self, name: str, *, needed: bool = True) -> Secret:
        """The secret of a key; empty, with a mistake noted, when it can't be had."""
        place = self.text(name)
        if not place:
            if needed:
                self.wrong(name, f"{name} is missing", f"add for example {name}: env:CLEW_{name.upper()}")
            return Secret("")
        try:
            found = self.secrets.find(place)
        except ValueError as error:
            cause, _, mend = str(error).partition("; ")
            self.wrong(name, f"{name}: {cause}", mend)
            return Secret("")
        # Vendors give no others, and libraries show what they can't send.
        if not (found.reveal().isascii() and found.reveal().isprintable()):
            self.wrong(
                name, f"{name}: {place} holds several lines, or more than ASCII", "write the secret alone, in ASCII"
            )
            return Secret("")
        return found

    def address(self, name: str, default: str = "", *, secret: bool = False) -> Secret:
        """An http or https address without a slash at its end, which may be a secret's place. It is a secret itself,
        as vendors put keys into paths; `told` says what of it may be shown."""
        text = self.text(name, default)
        if secret or text.startswith(("env:", "file:")):
            found = self.secret(name)
            text = found.reveal()
            if not text:
                return found
        elif not text:
            self.wrong(name, f"{name} is missing", f"add for example {name}: https://example.org/")
            return Secret("")
        if cause := why_no_address(text, self.reach()):
            self.wrong(name, f"{name} {cause[0]}", cause[1])
            return Secret("")
        return Secret(text.rstrip("/"))

    def reach(self) -> Reach:
        """What ``allow_private`` says: ``true``, or the host names that may have private addresses."""
        words = tuple(word.lower() for word in self.texts("allow_private"))
        if words in (("true",), ("yes",)):
            return Reach(everywhere=True)
        return Reach(hosts=frozenset(words) - {"false", "no"})

    def proxy(self) -> str:
        """The proxy of ``proxy``, through which the channel is to call; empty: none."""
        text = self.text("proxy")
        if text and not re.fullmatch(r"https?://[^\s/?#@]+/?", text):
            self.wrong(
                "proxy", "proxy is no address of a proxy", "write for example proxy: http://proxy.example.org:3128"
            )
            return ""
        return text

    def told(self, address: Secret) -> str:
        """The part of an address that may be shown."""
        parts = urlsplit(address.reveal())
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def why_no_address(text: str, reach: Reach) -> tuple[str, str] | None:
    """Cause and mend when a text is no address that a channel may call, as far as can be told without a look-up."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no address", "write one such as https://example.org/hook"
    if parts.scheme not in ("http", "https") or not host or port == 0 or re.search(r"[\s\\]", text):
        return "is no http or https address", "write one such as https://example.org/hook"
    if "@" in parts.netloc:
        return "holds a password", "give it as a secret of its own"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None  # a name: judged when it is resolved
    why = why_refused(host, host, reach)
    cause, _, mend = why.partition("; ")
    return (f"leads to {host}, which {cause}", mend) if why else None
