"""Clover's hosts, and the networks that a host may be in."""

from __future__ import annotations

import ipaddress
import socket
from typing import Literal

BASE_URLS = {
    "us": "https://api.clover.com",
    "eu": "https://api.eu.clover.com",
    "la": "https://api.la.clover.com",
    "sandbox": "https://apisandbox.dev.clover.com",
}
"""Regions and their hosts: https://docs.clover.com/docs/making-rest-api-calls"""

LOGIN_URLS = {
    "us": "https://www.clover.com",
    "eu": "https://www.eu.clover.com",
    "la": "https://www.la.clover.com",
    "sandbox": "https://sandbox.dev.clover.com",
}
"""Where merchants log in: https://docs.clover.com/dev/docs/high-trust-app-auth-flow"""

REGIONS = tuple(BASE_URLS)


def network_zone(host: str | None) -> Literal["loopback", "private", "public"]:
    """The network of a host, by how it is written.

    "loopback" is only what no name server can lead elsewhere: a token may go there in the clear.
    Other spellings of this machine are "private", as `127.1` and the names under `.localhost`,
    which RFC 6761 asks resolvers to keep at home, but not all do. Any other name is "public";
    its certificate has to prove it.
    """
    name = (host or "").lower()
    if name == "localhost":
        return "loopback"
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    try:
        ip = ipaddress.ip_address(name)
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ip
        if ip.is_loopback:
            return "loopback"
    except ValueError:
        name = name.rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return "private"
        try:
            ip = ipaddress.IPv4Address(socket.inet_aton(name))  # 127.1, 0x7f000001, 2130706433
        except (OSError, UnicodeError, ValueError):
            return "public"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.sixtofour or ip
    return "public" if ip.is_global and not ip.is_multicast else "private"
