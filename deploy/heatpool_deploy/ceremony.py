"""The pool's trust files: made, rotated, co-signed, looked at. Root keys may be on a stick.

In: folders with keys, randomness, the time. Out: `trust.<N>.json` with its successor's signatures,
new private keys (0600). Guarantee: no file is overwritten; a key that leaves its role is kept under
a name that says until which version it held; a file that clients would refuse is never published.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_contract import dsse, trust
from heatpool_contract.dsse import TYPE_TRUST, public_key_of
from heatpool_contract.rejects import SealRefused
from heatpool_contract.trust import TRUST_BYTES_MAX, Role, Trust
from heatpool_deploy.keys import OFFLINE, RELEASE_SEED, TIMESTAMP_SEED, TRUST_S, write_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RoleName = Literal["root", "release", "timestamp"]
SEED_BYTES: Final = 32
_FILES: Final = {"release": RELEASE_SEED, "timestamp": TIMESTAMP_SEED}


class CeremonyError(Exception):
    """The files at hand do not allow it; the text says what is missing."""


class Standing(msgspec.Struct, frozen=True):
    """The newest trust file of a folder, and who has signed it."""

    trust: Trust
    path: Path
    raw: bytes
    missing: int
    """Signatures that the file itself or its predecessor still asks for."""


def latest(folder: Path) -> Standing:
    """The newest trust file.

    Raises:
        CeremonyError: there is none, or it is none.
    """
    versions = sorted(
        int(path.name.split(".")[1])
        for path in folder.glob("trust.*.json")
        if path.name.split(".")[1].isdigit()
    )
    if not versions:
        raise CeremonyError(f"no trust file in {folder}: run `heatpoolctl keys init`")
    path = trust_path(folder, versions[-1])
    raw = path.read_bytes()
    before = trust_path(folder, versions[-1] - 1)
    old = _read(before.read_bytes()) if versions[-1] > 1 and before.exists() else None
    new = _read(raw)
    roles = [new.root] if old is None else [new.root, old.root]
    return Standing(new, path, raw, sum(_missing(raw, role) for role in roles))


def rotate(
    folder: Path,
    role: RoleName,
    random: Callable[[int], bytes],
    now_s: int,
    *,
    new_epoch: bool = False,
    offline: Sequence[Path] = (),
) -> Standing:
    """New keys for a role, and the trust file that says so.

    Args:
        folder: of the pool's keys.
        role: whose keys are replaced.
        random: returns so many unpredictable bytes.
        now_s: now.
        new_epoch: drops the floors of all clients: the way back after a stolen release key.
        offline: folders with root keys; those found there sign, others can do so with `co_sign`.

    Raises:
        CeremonyError: the newest file is not signed by enough keys, or no root key was found.
    """
    standing = latest(folder)
    if standing.missing:
        raise CeremonyError(f"{standing.path.name} still lacks {standing.missing} signatures")
    old = standing.trust
    version = old.version + 1
    seeds = [random(SEED_BYTES) for _ in getattr(old, role).keys]
    held = Role(tuple(map(public_key_of, seeds)), getattr(old, role).threshold)
    new = msgspec.structs.replace(
        old,
        version=version,
        epoch=old.epoch + new_epoch,
        expires_s=now_s + TRUST_S,
        **{role: held},
    )
    stores = list(offline) or [folder / OFFLINE]
    roots = _root_seeds(stores, {*old.root.keys, *new.root.keys})
    if role == "root":
        roots += seeds
    if not roots:
        raise CeremonyError(f"no root key in {', '.join(map(str, stores))}")
    write_secret(trust_path(folder, version), trust.sign_trust(new, roots).decode())
    if role == "root":
        for number, seed in enumerate(seeds, 1):
            write_secret(stores[0] / f"root_{number}.from.{version}", _base64(seed))
    else:
        current = folder / _FILES[role]
        if current.exists():  # on the trainer's machine, say, but not on this one
            current.rename(folder / f"{_FILES[role]}.until.{old.version}")
        write_secret(current, _base64(seeds[0]))
        for number, seed in enumerate(seeds[1:], 2):
            write_secret(folder / f"{_FILES[role]}_{number}.from.{version}", _base64(seed))
    return latest(folder)


def co_sign(folder: Path, offline: Sequence[Path]) -> Standing:
    """Add the signatures of root keys that lie elsewhere to the newest trust file.

    Raises:
        CeremonyError: none of them may sign it.
    """
    standing = latest(folder)
    previous = trust_path(folder, standing.trust.version - 1)
    wanted = {*standing.trust.root.keys}
    if previous.exists():
        wanted |= {*_read(previous.read_bytes()).root.keys}
    seeds = _root_seeds(offline, wanted)
    if not seeds:
        raise CeremonyError(
            f"no root key of {standing.path.name} in {', '.join(map(str, offline))}"
        )
    raw = standing.raw
    for seed in seeds:
        raw = dsse.co_sign(raw, TYPE_TRUST, seed)
    standing.path.write_bytes(raw)
    return latest(folder)


def chain(folder: Path) -> list[tuple[int, bytes]]:
    """All trust files from 1 on, each believed by its predecessor.

    Raises:
        CeremonyError: a client would stop at one of them.
    """
    newest = latest(folder).trust.version
    files: list[tuple[int, bytes]] = []
    believed: Trust | None = None
    for version in range(1, newest + 1):
        path = trust_path(folder, version)
        if not path.exists():
            raise CeremonyError(f"{path.name} is missing")
        raw = path.read_bytes()
        try:
            believed = trust.first(raw) if believed is None else trust.advance(believed, raw)
        except SealRefused as refused:
            raise CeremonyError(f"{path.name} would be refused: {refused}") from refused
        files.append((version, raw))
    return files


def trust_path(folder: Path, version: int) -> Path:
    """Where a version lies."""
    return folder / f"trust.{version}.json"


def _missing(raw: bytes, role: Role) -> int:
    envelope = dsse.unwrap(raw, TYPE_TRUST, TRUST_BYTES_MAX)
    good = dsse.signers(TYPE_TRUST, envelope.payload, envelope.signatures, role.keys)
    return max(0, role.threshold - good)


def _read(raw: bytes) -> Trust:
    """A trust file that may still lack signatures."""
    try:
        envelope = dsse.unwrap(raw, TYPE_TRUST, TRUST_BYTES_MAX)
        return msgspec.json.decode(envelope.payload, type=Trust)
    except ValueError as error:
        raise CeremonyError(f"not a trust file: {error}") from error


def _root_seeds(folders: Sequence[Path], wanted: set[bytes]) -> list[bytes]:
    found: dict[bytes, bytes] = {}
    for folder in folders:
        for path in sorted(folder.glob("root_*")):
            seed = b64decode(path.read_text(encoding="utf-8"))
            public = public_key_of(seed)
            if public in wanted:
                found[public] = seed
    return list(found.values())


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
