"""Which addresses a message may go to. Pure.

Whoever may write a channel's URL must not reach by it what only our own host can reach: the
database, the neighbours, what a cloud tells its machines. So what counts is the address that is
connected to, however it was written or named.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

_Address: TypeAlias = IPv4Address | IPv6Address

#: Characters of a URL.
URL_LENGTH: Final = 2_000
#: Ports of servers that speak anything but HTTP: mail, shells, databases, brokers, caches.
OTHERS_PORTS: Final = frozenset(
    {
        *(7, 9, 19, 20, 21, 22, 23, 25, 53, 69, 79, 110, 111, 119, 123, 135, 139, 143, 161, 389),
        *(445, 465, 514, 587, 636, 993, 995, 1433, 1521, 2049, 3306, 3389, 5432, 5433, 5671),
        *(5672, 6000, 6379, 6380, 6432, 9042, 11211, 26379, 27017, 33060),
    }
)
#: What no setting allows: nobody's, everybody's, link-local, and what clouds tell their machines.
_NEVER: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.192/32",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fd00:ec2::/32",
        "fd20:ce::/32",
        "fe80::/10",
        "ff00::/8",
    )
)
#: What ``ipaddress`` takes for global: site-local, and NAT64 in a network of one's own.
_PRIVATE: Final = tuple(ip_network(network) for network in ("fec0::/10", "64:ff9b:1::/48"))
_NAT64: Final = ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ip_network("::/96")


@dataclass(frozen=True)
class Target:
    """Where a URL leads.

    Attributes:
        is_secure: Whether by TLS.
        host: Its name or address, without brackets.
        port: Its port.
        authority: What the header ``Host`` says.
        path: Path and query.
    """

    is_secure: bool
    host: str
    port: int
    authority: str
    path: str


def target(url: str) -> Target:
    """Where a URL leads.

    Raises:
        ValueError: If it can't be one of a channel; the message is a sentence without the URL.
    """
    if wrong := wrong_url(url):
        raise ValueError(wrong)
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if is_secure else 80)
    return Target(is_secure, parts.hostname or "", port, parts.netloc, path)


def wrong_url(url: str) -> str:
    """What is wrong with a URL as it is written, in a sentence without it; empty for nothing."""
    if len(url) > URL_LENGTH:
        return f"A URL has at most {URL_LENGTH:,} characters."
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "A URL has ASCII characters, and no spaces; others are percent-encoded."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is no URL."
    return _wrong_part(parts, port)


def _wrong_part(parts: SplitResult, port: int | None) -> str:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "A URL begins with https:// or http:// and a host."
    if parts.username is not None or parts.password is not None:
        return "A URL has no user and password before its host."
    return wrong_port(port) if port is not None else ""


def wrong_port(port: int) -> str:
    """Why no message is sent to a port, in a sentence; empty where one may be."""
    return f"Port {port} is none of a web server's." if port in {0, *OTHERS_PORTS} else ""


def refusal(address: str, allows_private: bool) -> str:
    """Why an address is not connected to, in a sentence; empty where it may be.

    Args:
        address: An IPv4 or IPv6 address, as the resolver tells it.
        allows_private: Whether the settings allow what only this host or its network reaches.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    embedded = _embedded(found)
    reached = [found, embedded] if embedded else [found]
    if any(one in network for one in reached for network in _NEVER):
        return "No message is sent to this address: it is link-local, or nobody's."
    if not allows_private and any(map(_is_private, reached)):
        return "This is a private address, and PRIVATE_TARGETS does not allow those."
    return ""


def _is_private(address: _Address) -> bool:
    return not address.is_global or any(address in network for network in _PRIVATE)


def _embedded(address: _Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to by some gateway."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return None
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
