"""How often one may ask: token buckets per host, network, installation and for registrations.

In: the address of a connection, the installation that was named, now. Out: nothing, or the refusal
with the seconds to wait. Guarantee: bounded memory; no address is kept: its bucket's name is a hash
under a key of this process that changes every day (Unix day). A stranger who names a home spends a
bucket of his own, never the home's.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network
from socket import AF_INET, inet_pton
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_chassis.quotas import Buckets, Rate
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_contract.identity import Pseudonym

ENTRIES_MAX: Final = 100_000  # of each kind; about 20 MB
HOST_BITS: Final = 64  # of IPv6: what one home gets; IPv4 counts as a whole
NETWORK_BITS: Final = 48  # of IPv6: what one customer may get
NETWORK_FACTOR: Final = 4.0  # a network may ask so many times as often as a host
DAY_S: Final = 86_400
BURIALS: Final = Rate(100.0, 1 / 60)
"""Tombstones of homes that never were: each stays for good, and an edge holds 200,000. A client
whose data are on their way comes again later."""
_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 12
_POOL: Final = "all"


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows."""

    host: Rate
    installation: Rate
    registration: Rate
    """New keys of one host: they cost nothing, and each may become an entry of the registry."""
    registrations: Rate
    """Of everybody together: what a flood from many hosts may add."""


class Limits:
    """All buckets of one hub."""

    def __init__(self, rates: Rates, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._day = -1
        self._key = b""
        self._hosts = Buckets(rates.host, ENTRIES_MAX)
        wider = Rate(rates.host.burst * NETWORK_FACTOR, rates.host.per_s * NETWORK_FACTOR)
        self._networks = Buckets(wider, ENTRIES_MAX)
        self._installations = Buckets(rates.installation, ENTRIES_MAX)
        self._registration = Buckets(rates.registration, ENTRIES_MAX)
        self._registrations = Buckets(rates.registrations, 1)
        self._burials = Buckets(BURIALS, 1)

    def __len__(self) -> int:
        return (
            len(self._hosts)
            + len(self._networks)
            + len(self._installations)
            + len(self._registration)
        )

    def visit(self, address: str | None, now_s: float) -> None:
        """Charge a request to the host and, with IPv6, to its network.

        Raises:
            RefusedError: `rate_exceeded`.
        """
        host, network = self._names(address, now_s)
        _take(self._hosts, host, now_s)
        if network is not None:
            _take(self._networks, network, now_s)

    def ask(
        self, installation: Pseudonym, address: str | None, now_s: float, *, is_own: bool
    ) -> None:
        """Charge a request to the installation if it is its own, else to who names it.

        Raises:
            RefusedError: `rate_exceeded`.
        """
        name = installation if is_own else f"{self._names(address, now_s)[0]} {installation}"
        _take(self._installations, name, now_s)

    def register(self, address: str | None, now_s: float) -> None:
        """Charge a registration.

        Raises:
            RefusedError: `rate_exceeded`.
        """
        _take(self._registration, self._names(address, now_s)[0], now_s)
        _take(self._registrations, _POOL, now_s)

    def bury(self, now_s: float) -> None:
        """Charge an erasure of a home that has never contributed.

        Raises:
            RefusedError: `rate_exceeded`.
        """
        _take(self._burials, _POOL, now_s)

    def _names(self, address: str | None, now_s: float) -> tuple[str, str | None]:
        """Names of the buckets of host and network (None: there is none)."""
        day = int(now_s // DAY_S)
        if day != self._day:
            self._day, self._key = day, self._random(_KEY_BYTES)
        try:  # the usual case in a tenth of the time
            return self._hashed(inet_pton(AF_INET, address or "")), None
        except OSError:
            return self._other_names(address)

    def _other_names(self, address: str | None) -> tuple[str, str | None]:
        try:
            parsed = ip_address((address or "").partition("%")[0])
        except ValueError:
            return self._hashed(b"unknown"), None
        if isinstance(parsed, IPv6Address):
            mapped = parsed.ipv4_mapped or parsed.sixtofour
            if mapped is None:
                host = ip_network((parsed, HOST_BITS), strict=False)
                network = ip_network((parsed, NETWORK_BITS), strict=False)
                return self._hashed(str(host).encode()), self._hashed(str(network).encode())
            return self._hashed(mapped.packed), None
        return self._hashed(parsed.packed), None

    def _hashed(self, name: bytes) -> str:
        return blake2b(name, key=self._key, digest_size=_DIGEST_BYTES).hexdigest()


def _take(buckets: Buckets, name: str, now_s: float) -> None:
    wait_s = buckets.take(name, 1.0, now_s)
    if wait_s:
        raise RefusedError(Refusal.RATE_EXCEEDED, retry_after_s=math.ceil(wait_s))
