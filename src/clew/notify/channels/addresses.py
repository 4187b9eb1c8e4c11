"""Which addresses a channel may call. Pure: judges addresses, resolves nothing.

A channel's address may come from a file that somebody else writes, and names may be made to lead anywhere. So what
isn't public is refused unless the channel allows it, and the services that tell machines of a cloud their credentials
are refused always.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Link-local ones are AWS, Google, Azure, Oracle and others; the rest Alibaba, Oracle, Azure's wire server, and AWS
# over IPv6.
_METADATA = tuple(
    ipaddress.ip_network(each)
    for each in (
        "169.254.0.0/16",
        "fe80::/10",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "168.63.129.16/32",
        "fd00:ec2::254/128",
    )
)
# An IPv4 address inside of an IPv6 one, as a translator on the way would read it (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Such where only who runs the network knows the place of the IPv4 one (RFC 8215), and a form that is long given up
# (RFC 4291, 2.5.5.1) but that systems may still read: behind both may be what no channel may call.
_HIDDEN = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("::/96"))
_LOOPBACK = ipaddress.IPv6Address("::1")
# Python knows more special networks from release to release; nothing but these is handed out for use in public.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Reach:
    """What a channel may call beside public addresses: anything private (``everywhere``), or by these host names."""

    everywhere: bool = False
    hosts: Collection[str] = ()

    def allows_private(self, host: str) -> bool:
        """Whether this host may have a private address."""
        return self.everywhere or host.lower().rstrip(".") in self.hosts


def why_refused(address: str, host: str, reach: Reach) -> str:
    """Why this address of a host isn't called, in words; empty when it may be."""
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if any(ip in network for network in _METADATA if network.version == ip.version):
        return "is link-local or hands out a machine's credentials, which no channel may call"
    if ip.is_multicast or ip.is_unspecified:
        return "is no address of one machine"
    if isinstance(ip, ipaddress.IPv6Address) and ip != _LOOPBACK and any(ip in network for network in _HIDDEN):
        return "may hide any IPv4 address; write the address itself"
    if not _is_public(ip) and not reach.allows_private(host):
        return f"is not public; allow it with allow_private: [{host}] if it is meant"
    return ""


def _is_public(ip: IpAddress) -> bool:
    return ip.is_global and (isinstance(ip, ipaddress.IPv4Address) or ip in _PUBLIC_IPV6)


def _unwrapped(ip: IpAddress) -> IpAddress:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo[1] if ip.teredo else None
    return ip.ipv4_mapped or ip.sixtofour or teredo or ip
