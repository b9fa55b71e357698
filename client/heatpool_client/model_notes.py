"""What a logger writes down about its models: what is active, what was refused.

In: a verified manifest, a refusal. Out: `state.json` and `refusals.json` beside the payloads.
Guarantee: refusals never touch the state; every refusal is counted under its code.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from heatpool_client.durable import Disk, put, read_capped
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import (
    Floor,
    Verified,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from heatpool_contract.fresh import Fresh
    from heatpool_contract.trust import Trust

STATE: Final = "state.json"
STATE_DAMAGED: Final = "state.damaged"
REFUSALS: Final = "refusals.json"
NOTES_BYTES_MAX: Final = 64 * 1024  # each about 1 KiB; a larger file is not ours


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One opened model on disk."""

    model_hash: str
    raw_len: int
    raw_sha256: str
    version: str
    epoch: int
    seq: int
    engine: str
    created_s: int
    expires_s: int
    """From then on the logger should go back to its own local model."""
    installations: int
    samples: int
    activated_s: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What `state.json` holds. Members are only added: going back to an older program keeps it."""

    floor: Floor | None = None
    active: Entry | None = None
    previous: Entry | None = None
    fresh_issued_s: int | None = None
    """Of the newest accepted freshness statement."""
    fresh_trust_version: int = 0
    """Trust file under which it was accepted: a time that a stolen key vouched for ends with it."""


class Refusals(msgspec.Struct, frozen=True):
    """What was refused so far."""

    code: Reject | None = None
    """Of the last one."""
    detail: str = ""
    model_hash: str = ""
    at_s: int = 0
    counts: dict[Reject, int] = {}


S = TypeVar("S", State, Refusals)


def read(path: Path, kind: type[S]) -> S:
    """The notes at `path`; empty ones if there are none.

    Raises:
        SealRefused: `storage`, `state_damaged`.
    """
    try:
        return msgspec.json.decode(read_capped(path, NOTES_BYTES_MAX), type=kind)
    except FileNotFoundError:
        return kind()
    except (ValueError, RecursionError) as error:
        raise SealRefused(Reject.STATE_DAMAGED, f"{path.name}: {error}") from error
    except SealRefused as refused:
        if refused.code is not Reject.SIZE:
            raise
        raise SealRefused(Reject.STATE_DAMAGED, refused.detail) from refused


def write(disk: Disk, path: Path, notes: State | Refusals) -> None:
    """Replace the notes at `path`, whole or not at all."""
    put(disk, path, msgspec.json.format(msgspec.json.encode(notes), indent=2))


@contextmanager
def counting(disk: Disk, folder: Path, model_hash: str, now_s: int) -> Iterator[None]:
    """Write down each refusal that passes through; turn a failing disk into one (`storage`)."""
    try:
        yield
    except SealRefused as refused:
        count(disk, folder, refused, model_hash, now_s)
        raise
    except OSError as error:
        refusal = SealRefused(Reject.STORAGE, str(error))
        count(disk, folder, refusal, model_hash, now_s)
        raise refusal from error


def count(disk: Disk, folder: Path, refused: SealRefused, model_hash: str, now_s: int) -> None:
    """Add a refusal to `refusals.json`; never fails, for the reason must still reach the caller."""
    path = folder / REFUSALS
    try:
        counts = read(path, Refusals).counts
    except SealRefused:
        counts = {}  # unreadable statistics start anew
    counts = {**counts, refused.code: counts.get(refused.code, 0) + 1}
    try:
        write(disk, path, Refusals(refused.code, refused.detail, model_hash, now_s, counts))
    except OSError as error:
        refused.add_note(f"and could not be recorded: {error}")


def entry_of(verified: Verified, now_s: int) -> Entry:
    """What is kept of a manifest."""
    manifest = verified.manifest
    return Entry(
        model_hash=verified.model_hash,
        raw_len=manifest.raw_len,
        raw_sha256=manifest.raw_sha256,
        version=manifest.version,
        epoch=manifest.epoch,
        seq=manifest.seq,
        engine=manifest.engine,
        created_s=manifest.created_s,
        expires_s=manifest.expires_s,
        installations=manifest.installations,
        samples=manifest.samples,
        activated_s=now_s,
    )


def noting(state: State, fresh: Fresh, trust: Trust) -> State:
    """The state with an accepted freshness statement; its time never goes back."""
    same_trust = state.fresh_trust_version == trust.version
    known_s = state.fresh_issued_s or 0 if same_trust else 0
    return msgspec.structs.replace(
        state, fresh_issued_s=max(known_s, fresh.issued_s), fresh_trust_version=trust.version
    )
