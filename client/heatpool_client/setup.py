"""A new installation: folder, keys, token, trust file, configuration.

In: the owner's choices, randomness. Out: a state folder that `Pool.open` takes. Guarantee: works
offline; `config.toml` is written last, so an attempt that was cut off can be repeated and goes on
with the keys it had made; existing installations are never overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_client import keys, trusted
from heatpool_client.config import Config, encode
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import read_private, write_private
from heatpool_contract.rejects import SealRefused
from heatpool_contract.trust import TRUST_BYTES_MAX, Trust, first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from heatpool_client.home import Home


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner says at `init`; names as in `Config`."""

    settings: dict[str, object]
    """Keys of `Config`; without `installation_id` it follows from the new keys."""
    token: str | None = None
    trust: bytes | None = None
    """The pool's first trust file."""


def initialise(
    home: Home, choices: Choices, now_s: float, randomness: Callable[[int], bytes]
) -> Config:
    """Make the installation.

    Raises:
        ClientError: `already_initialised`, `config_invalid`, `trust_rejected`, `state_unusable`.
    """
    if home.config.exists():
        raise ClientError(Fault.ALREADY_INITIALISED, home.root)
    found = read_private(home.identity)
    own = keys.create(randomness, now_s) if found is None else keys.load(home)
    settings = {"installation_id": own.self_certifying_id, **choices.settings}
    try:
        config = msgspec.convert(settings, Config)
    except ValueError as error:
        raise ClientError(Fault.CONFIG_INVALID, error) from error
    if choices.trust is not None:
        _first(choices.trust)
    home.create()
    if found is None:
        keys.save(home, own)
    if choices.token is not None:
        write_private(home.token, choices.token.encode() + b"\n")
    if choices.trust is not None:
        write_private(home.trust_first, choices.trust)
    write_private(home.config, encode(config))
    return config


def believe(home: Home, files: Sequence[bytes]) -> Trust:
    """Take the pool's first trust file, or successors of the one that is believed, in order.

    Raises:
        ClientError: `trust_rejected`; what was believed stays.
    """
    shipped = read_private(home.trust_first)
    try:
        if shipped is None:
            trust = _first(files[0])
            write_private(home.trust_first, files[0])
            files = files[1:]
        else:
            trust = trusted.believed(home.root, shipped)
        return trusted.advance(home.root, trust, files)
    except SealRefused as error:
        raise ClientError(Fault.TRUST_REJECTED, error) from error


def read_trust(path: Path) -> bytes:
    """A trust file that somebody hands over; one byte above the cap is enough to refuse it.

    Raises:
        ClientError: `file_unreadable`.
    """
    try:
        with path.open("rb") as file:
            return file.read(TRUST_BYTES_MAX + 1)
    except OSError as error:
        raise ClientError(Fault.FILE_UNREADABLE, path, error.strerror) from error


def _first(raw: bytes) -> Trust:
    try:
        return first(raw)
    except SealRefused as error:
        raise ClientError(Fault.TRUST_REJECTED, error) from error
