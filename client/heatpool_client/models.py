"""The models of this logger: a downloaded file becomes the active model, or changes nothing.

In: a file, what the check said about it, the own keys, the trust file and now. Out: the active
model. Guarantee: only a model that passed every check is ever active; a power cut at any moment
leaves the old one or the new one, whole; nothing older than what was active once comes back, since
the floor is raised in the same atomic write that names the model; one predecessor is kept.

    <folder>/<slug>/state.json          what is active, its predecessor, the floor: the only truth
    <folder>/<slug>/<model_hash>.raw    opened payloads that state.json names; others are litter
    <folder>/<slug>/refusals.json       the last refusal and a count for each code
    <folder>/<slug>/state.damaged       a state.json that could not be read, for inspection
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from heatpool_client.durable import Disk, locked, put, read_capped
from heatpool_client.model_notes import (
    REFUSALS,
    STATE,
    STATE_DAMAGED,
    Entry,
    Refusals,
    State,
    count,
    counting,
    entry_of,
    noting,
    read,
    write,
)
from heatpool_contract.fresh import Fresh, bounded_now, verify_fresh
from heatpool_contract.grants import open_grant
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import (
    BLOB_BYTES_USUAL_MAX,
    Expected,
    Floor,
    open_payload,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from heatpool_contract.identity import InstallationId, ModelSlug
    from heatpool_contract.trust import Trust

D = TypeVar("D")


@dataclass(frozen=True)
class Engine(Generic[D]):
    """The scorer of this program: payload bytes to a detector, and the proof that it agrees."""

    name: str
    """As in the manifest, `river-hst/1`."""
    decode: Callable[[bytes], D]
    self_test: Callable[[D], bool]
    """Whether the detector reproduces the scores that the trainer put into the payload."""
    malformed: tuple[type[Exception], ...] = (ValueError,)
    """What `decode` and `self_test` raise for a payload that is none."""


@dataclass(frozen=True)
class OwnKeys:
    """Who this logger is, and what opens its grants. Never printed."""

    installation: InstallationId
    x25519: bytes
    fleet_x25519: bytes | None = None
    """Shipped with every client: opens the grants of loggers that registered no key."""

    def __repr__(self) -> str:
        """Without key material."""
        return "OwnKeys(...)"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the check answered."""

    model_hash: str
    grant: bytes
    is_fleet_grant: bool = False
    fresh: bytes | None = None
    """The freshness statement; must name the same release if it is there."""


@dataclass(frozen=True)
class Active(Generic[D]):
    """The model that scores."""

    entry: Entry
    detector: D
    is_previous: bool = False
    """The newest one was damaged on disk, so its predecessor stands in."""


class ModelStore(Generic[D]):
    """The models of one heat pump in `folder`."""

    def __init__(
        self,
        folder: Path,
        model: ModelSlug,
        engine: Engine[D],
        client_version: str,
        disk: Disk | None = None,
    ) -> None:
        """Touches nothing yet."""
        self.folder = folder / model
        self.model = model
        self._engine = engine
        self._client_version = client_version
        self._disk = disk or Disk()

    def activate(
        self, file: Path | bytes, offer: Offer, keys: OwnKeys, trust: Trust, now_s: int
    ) -> Active[D]:
        """Check a downloaded file in the order of a cautious client and make it the active model.

        Args:
            file: the download; a path is read up to the cap.
            offer: what the check answered.
            keys: the own id and private keys.
            trust: the newest trust file that is believed.
            now_s: when this cycle began, see `fresh.bounded_now`.

        Raises:
            SealRefused: the reason, which is also counted in `refusals.json`; the active model
                and the floor are as they were.
        """
        with locked(self.folder), counting(self._disk, self.folder, offer.model_hash, now_s):
            return self._activate(file, offer, keys, trust, now_s)

    def active(self) -> Active[D] | None:
        """The active model, read and checked again; its predecessor if the file is damaged.

        None if there is neither. Whether it has expired is the caller's question
        (`entry.expires_s`): it is, then, still better known than deleted.
        """
        try:
            state = self.state()
        except SealRefused as refused:
            if refused.code is Reject.STATE_DAMAGED:
                return None
            raise
        for entry in (state.active, state.previous):
            if entry is None:
                continue
            detector = self._reload(entry)
            if detector is not None:
                return Active(entry, detector, is_previous=entry is not state.active)
        return None

    def state(self) -> State:
        """What is active and the floor; all empty before the first model.

        Raises:
            SealRefused: `storage`, `state_damaged`: the file is there and unreadable.
        """
        return read(self.folder / STATE, State)

    def refusals(self) -> Refusals:
        """The last refusal, and how many there were of each code.

        Raises:
            SealRefused: `storage`, `state_damaged`.
        """
        return read(self.folder / REFUSALS, Refusals)

    def note_fresh(self, statement: bytes, trust: Trust, now_s: int) -> Fresh:
        """Take a freshness statement that came without an update.

        Raises:
            SealRefused: `fresh_*`, counted; nothing else changed.
        """
        with locked(self.folder), counting(self._disk, self.folder, "", now_s):
            state = self._state_or_anew(now_s)
            fresh = verify_fresh(statement, self.model, state.floor, trust, now_s)
            write(self._disk, self.folder / STATE, noting(state, fresh, trust))
            return fresh

    def cycle_start_s(self, system_s: int, built_s: int, trust: Trust) -> int:
        """The `now_s` of a cycle, see `fresh.bounded_now`.

        A time vouched for under an older trust file is forgotten: its key may have been stolen.

        Raises:
            SealRefused: `storage`, `state_damaged`.
        """
        state = self.state()
        known = state.fresh_trust_version == trust.version
        return bounded_now(system_s, built_s, state.fresh_issued_s if known else None)

    def _activate(
        self, file: Path | bytes, offer: Offer, keys: OwnKeys, trust: Trust, now_s: int
    ) -> Active[D]:
        state = self._state_or_anew(now_s)
        if offer.fresh is not None:
            fresh = verify_fresh(offer.fresh, self.model, state.floor, trust, now_s)
            if fresh.model_hash != offer.model_hash:
                raise SealRefused(Reject.FRESH_OTHER_RELEASE)
            state = noting(state, fresh, trust)
        blob = file if isinstance(file, bytes) else read_capped(file, BLOB_BYTES_USUAL_MAX)
        if len(blob) > BLOB_BYTES_USUAL_MAX:
            raise SealRefused(Reject.SIZE, f"more than {BLOB_BYTES_USUAL_MAX} bytes")
        expected = Expected(
            model_hash=offer.model_hash,
            model=self.model,
            engine=self._engine.name,
            client_version=self._client_version,
            floor=state.floor,
        )
        verified = verify(blob, expected, trust, now_s)
        private_key = keys.fleet_x25519 if offer.is_fleet_grant else keys.x25519
        if private_key is None:
            raise SealRefused(Reject.GRANT_SEALED, "a fleet grant, and no fleet key here")
        cek = open_grant(offer.grant, private_key, offer.model_hash, keys.installation, now_s)
        raw = open_payload(verified, cek)
        detector = self._check_payload(raw)
        entry = entry_of(verified, now_s)
        self._commit(state, entry, raw)
        return Active(entry, detector)

    def _check_payload(self, raw: bytes) -> D:
        try:
            detector = self._engine.decode(raw)
        except self._engine.malformed as error:
            raise SealRefused(Reject.PAYLOAD, str(error)) from error
        try:
            agrees = self._engine.self_test(detector)
        except self._engine.malformed as error:
            raise SealRefused(Reject.SELF_TEST, str(error)) from error
        if not agrees:
            raise SealRefused(Reject.SELF_TEST)
        return detector

    def _commit(self, state: State, entry: Entry, raw: bytes) -> None:
        """Payload first, then the one write that names it and raises the floor, then the litter."""
        self._sweep(state)  # what a crash left must not fill the disk
        put(self._disk, self.folder / f"{entry.model_hash}.raw", raw)
        again = state.active is not None and state.active.model_hash == entry.model_hash
        after = msgspec.structs.replace(
            state,
            floor=Floor(entry.epoch, entry.seq),  # `verify` refused everything below the old one
            active=entry,
            previous=state.previous if again else state.active,
        )
        write(self._disk, self.folder / STATE, after)
        self._sweep(after)

    def _sweep(self, state: State) -> None:
        kept = {f"{one.model_hash}.raw" for one in (state.active, state.previous) if one}
        for path in self.folder.glob("*.raw*"):
            if path.name not in kept:
                with suppress(OSError):  # not worth failing for: the next sweep comes
                    self._disk.remove(path)

    def _reload(self, entry: Entry) -> D | None:
        if entry.engine != self._engine.name:
            return None  # left by another version of this program
        try:
            raw = read_capped(self.folder / f"{entry.model_hash}.raw", entry.raw_len)
            if sha256(raw).hexdigest() != entry.raw_sha256:
                return None
            return self._check_payload(raw)
        except (SealRefused, FileNotFoundError):
            return None

    def _state_or_anew(self, now_s: int) -> State:
        """The state; if unreadable, set it aside and start anew, as TUF does with local metadata.

        Loses the floor, and says so: a logger with a bad memory card must not be stuck for ever.
        """
        try:
            return self.state()
        except SealRefused as refused:
            if refused.code is not Reject.STATE_DAMAGED:
                raise
            count(self._disk, self.folder, refused, "", now_s)
            self._disk.rename(self.folder / STATE, self.folder / STATE_DAMAGED)
            return State()
