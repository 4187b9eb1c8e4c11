"""By which names Clew may be asked, so that no name of another site that is led here (DNS rebinding) reads its data.

Such a name is the origin of the page that asks, so nothing else that a browser says tells the two apart.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

# RFC 9110, 7.2: a name, or an address, in brackets when it has colons; and perhaps a port.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?#@\[\]]+))(?::[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that are answered: loopback always, ``names`` in small letters, ``any_address`` whatever is no name."""

    names: frozenset[str] = frozenset()
    any_address: bool = False

    def answer(self, header: str) -> bool:
        """Whether a request with this Host is answered."""
        host = _host(header)
        return host in self.names or _is_loopback(host) or (self.any_address and _address(host) is not None)


def hosts_of(listen: str, public_url: str, named: Iterable[str]) -> Hosts:
    """The hosts of a server that listens on host ``listen`` and that others reach at ``public_url`` (may be empty).

    Where other machines reach it and nobody ``named`` hosts, it is asked by address: no address can be led elsewhere.
    """
    chosen = frozenset(each.lower() for each in named)
    own = {listen.lower(), (urlsplit(public_url).hostname or "").rstrip(".")} - {""}
    return Hosts(chosen | own, any_address=not chosen and not _is_loopback(listen.lower()))


def _host(header: str) -> str:
    match = _HOST.fullmatch(header)
    return (match[1] or match[2]).rstrip(".").lower() if match else ""


def _is_loopback(host: str) -> bool:
    address = _address(host)
    # RFC 6761, 6.3: nobody else can have a name below localhost.
    return host == "localhost" or host.endswith(".localhost") if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
