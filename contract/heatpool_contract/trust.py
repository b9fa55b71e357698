"""Which keys may say what: the trust file and its rotation.

In: signed trust files, the newest one already believed. Out: the next one to believe. Guarantee:
version N+1 is believed only if enough root keys of N *and* of N+1 signed it, so neither a thief of
some root keys nor a lost one takes the fleet away from its owner.

The client ships file 1 and walks the chain from the newest file it has. Rules after TUF, "detailed
client workflow" 5.3 (https://theupdateframework.github.io/specification/latest/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from nacl.bindings import crypto_core_ed25519_is_valid_point

from heatpool_contract.dsse import TYPE_TRUST, Count, PublicKey, Seconds, signers, unwrap, wrap
from heatpool_contract.rejects import Reject, SealRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatpool_contract.dsse import Envelope

FORMAT: Final = "heatpool-trust/1"
TRUST_BYTES_MAX: Final = 64 * 1024  # three roles of 8 keys and 16 signatures take below 8 KiB
STEPS_MAX: Final = 256  # as python-tuf: a rotation a month for 21 years; ends an endless chain
ROLE_KEYS_MAX: Final = 8


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys (Ed25519, public) of which `threshold` distinct ones must sign."""

    keys: Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=ROLE_KEYS_MAX)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=ROLE_KEYS_MAX)] = 1

    def __post_init__(self) -> None:
        """Refuse a threshold that cannot be met, and keys for which anybody can sign."""
        if len(set(self.keys)) != len(self.keys) or self.threshold > len(self.keys):
            raise ValueError("threshold above the number of distinct keys, or a key twice")
        if not all(crypto_core_ed25519_is_valid_point(key) for key in self.keys):
            raise ValueError("a key is no point of the prime-order group")


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `trust.<version>.json` says."""

    format: str = FORMAT
    version: Count
    epoch: Count
    """Of the releases. Raising it drops every client's floor: the way back after a thief of the
    release key has published the highest sequence number there is."""
    expires_s: Seconds = msgspec.field(name="expires")
    root: Role
    release: Role
    timestamp: Role

    def __post_init__(self) -> None:
        """Refuse one key in two roles: the online timestamp key must not make models."""
        keys = (*self.root.keys, *self.release.keys, *self.timestamp.keys)
        if len(set(keys)) != len(keys):
            raise ValueError("a key in two roles")


_trusts = msgspec.json.Decoder(Trust)


def sign_trust(trust: Trust, root_seeds: Iterable[bytes]) -> bytes:
    """The signed file. Root keys that are kept apart add theirs with `dsse.co_sign`."""
    return wrap(TYPE_TRUST, msgspec.json.encode(trust), root_seeds)


def first(raw: bytes) -> Trust:
    """The file that a client ships: believed because it came with the program.

    Raises:
        SealRefused: `trust_*`; it is not even signed by its own root keys.
    """
    return _believe(raw, None)


def advance(trust: Trust, raw: bytes) -> Trust:
    """The successor of `trust`. Its expiry is not looked at: it may be a step of a longer chain.

    Raises:
        SealRefused: `trust_*`; keep `trust`.
    """
    return _believe(raw, trust)


def walk(trust: Trust, steps: Sequence[bytes]) -> Trust:
    """Advance through `steps`, oldest first.

    Raises:
        SealRefused: `trust_*` at the first step that is not believed; keep `trust`.
    """
    if len(steps) > STEPS_MAX:
        raise SealRefused(Reject.TRUST_STEPS, f"{len(steps)} steps, at most {STEPS_MAX}")
    for raw in steps:
        trust = advance(trust, raw)
    return trust


def check_current(trust: Trust, now_s: int) -> None:
    """Refuse an expired file (`trust_expired`); at the very second of its expiry it has expired."""
    if now_s >= trust.expires_s:
        raise SealRefused(Reject.TRUST_EXPIRED, f"expired at {trust.expires_s}, now {now_s}")


def _believe(raw: bytes, old: Trust | None) -> Trust:
    if len(raw) > TRUST_BYTES_MAX:
        raise SealRefused(Reject.TRUST_SIZE, f"{len(raw)} bytes, at most {TRUST_BYTES_MAX}")
    try:
        envelope = unwrap(raw, TYPE_TRUST, TRUST_BYTES_MAX)
    except ValueError as error:
        raise SealRefused(Reject.TRUST_MALFORMED, str(error)) from error
    if old is not None:  # the old keys first: unsigned JSON of strangers is not even parsed
        _check_threshold(envelope, old.root, "old")
    try:
        new = _trusts.decode(envelope.payload)
    except ValueError as error:
        raise SealRefused(Reject.TRUST_MALFORMED, str(error)) from error
    if new.format != FORMAT:
        raise SealRefused(Reject.TRUST_MALFORMED, f"format {new.format!r}")
    _check_threshold(envelope, new.root, "new")
    if old is not None:
        _check_succession(old, new)
    return new


def _check_threshold(envelope: Envelope, root: Role, which: str) -> None:
    good = signers(TYPE_TRUST, envelope.payload, envelope.signatures, root.keys)
    if good < root.threshold:
        raise SealRefused(
            Reject.TRUST_THRESHOLD, f"{good} of {root.threshold} {which} root keys signed"
        )


def _check_succession(old: Trust, new: Trust) -> None:
    if new.version != old.version + 1:  # TUF 5.3.5
        raise SealRefused(Reject.TRUST_VERSION, f"{new.version} after {old.version}")
    if new.epoch - old.epoch not in (0, 1):
        raise SealRefused(Reject.TRUST_EPOCH, f"{new.epoch} after {old.epoch}")
