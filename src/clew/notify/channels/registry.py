"""Finds the kinds of channels and reads a channel of notify.yaml by its kind.

A kind is a folder beside this file whose package holds a ``KIND``. Adding one touches that folder only.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from clew.flow.nodes import Reader, did_you_mean, join
from clew.notify import channels
from clew.notify.channels.contract import Channel, Kind
from clew.notify.channels.entry import COMMON, Entry
from clew.notify.channels.heartbeat import Switch
from clew.notify.channels.http import Http
from clew.notify.channels.secrets import Secrets

_MINUTE_NS = 60 * 10**9


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of channel by its name."""
    names = [each.name for each in pkgutil.iter_modules(channels.__path__) if each.ispkg]
    found = [importlib.import_module(f"{channels.__name__}.{name}").KIND for name in sorted(names)]
    return MappingProxyType({kind.name: kind for kind in found})


class Registry:
    """Reads channels, with their secrets from an environment and files."""

    def __init__(self, env: Mapping[str, str], folder: Path = Path(), http: Http | None = None) -> None:
        """Relative paths of ``file:`` secrets count from ``folder``."""
        self.secrets = Secrets(env, folder)
        self._http = http or Http()

    def read(self, name: str, node: yaml.Node, key: str, reader: Reader) -> Channel | None:
        """The channel at a node; None when the reader noted mistakes in it. ``key`` is the dotted way to the node.

        Mistakes name the channel and, of a secret that isn't there, the variable or file; never the secret.
        """
        before = len(reader.problems)
        kind = self._kind_of(name, node, key, reader)
        if kind is None:
            return None
        values = reader.mapping(node, key, (*COMMON, *kind.keys))
        entry = Entry(f"channel {name!r}", key, values, reader, self.secrets)
        opened = kind.read(entry, self._http.reaching(entry.reach(), entry.proxy()))
        if opened is None or len(reader.problems) > before:
            return None
        limited = kind.limited if opened.limited is None else opened.limited
        return Channel(name, kind.name, opened.told, opened.sender, limited, opened.parse)

    def read_switch(self, node: yaml.Node, key: str, reader: Reader) -> Switch | None:
        """The dead-man's switch of a ``heartbeat`` node; None when the reader noted mistakes in it."""
        before = len(reader.problems)
        values = reader.mapping(node, key, ("url", "every", "method", "allow_private", "proxy"))
        entry = Entry("the heartbeat", key, values, reader, self.secrets)
        url, every_ns = entry.address("url"), entry.length("every", _MINUTE_NS)
        method = entry.choice("method", ("GET", "POST"))
        if len(reader.problems) > before:
            return None
        return Switch(url, every_ns, method, self._http.reaching(entry.reach(), entry.proxy()))

    def _kind_of(self, name: str, node: yaml.Node, key: str, reader: Reader) -> Kind | None:
        if not isinstance(node, yaml.MappingNode):
            reader.report(
                key, f"channel {name!r} has no keys", "write for example {kind: slack, webhook: env:NAME}", node
            )
            return None
        found = {each.value: value for each, value in node.value if isinstance(each, yaml.ScalarNode)}
        word = reader.text(found.get("kind"), join(key, "kind"))
        if word not in kinds():
            cause = f"has kind {word!r}, which Clew doesn't know" if word else "has no kind"
            known = tuple(kinds())
            mend = did_you_mean(word, known) if word else f"write kind: and one of {', '.join(known)}"
            reader.report(join(key, "kind"), f"channel {name!r} {cause}", mend, found.get("kind", node))
            return None
        return kinds()[word]
