"""Client address -> what may be kept of it.

In: the address of a connection. Out: its network, IPv4 /16 or IPv6 /32 (the defaults of rsyslog's
mmanon module). Guarantee: nothing finer ever leaves this function; IPv4 in IPv6's clothes is
treated as the IPv4 address that it is.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

IPV4_BITS: Final = 16
IPV6_BITS: Final = 32
CACHED_MAX: Final = 4096
"""Addresses remembered in memory, so that a busy service does not parse them again and again."""
UNKNOWN: Final = "unknown"


@lru_cache(maxsize=CACHED_MAX)
def masked(address: str | None) -> str:
    """`192.0.2.17` -> `192.0.0.0/16`; `unknown` for what is no address."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
    bits = IPV4_BITS if isinstance(parsed, IPv4Address) else IPV6_BITS
    return str(ip_network((parsed, bits), strict=False))
