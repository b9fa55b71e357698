"""The store of models: what is refused changes nothing, and no power cut leaves half a model."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.logger import DOUBLERS, KEYS, Doubler, activate, doubling, offer_of, store_in
from simulators.publisher import CLIENT_VERSION, DAY_S, HOME, MODEL, NOW_S, TRUST, Release

from heatpool_client.model_notes import State
from heatpool_client.models import Engine, ModelStore, OwnKeys
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import BLOB_BYTES_USUAL_MAX, Floor

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_contract.trust import Trust


def _refused(
    store: ModelStore[Doubler], release: Release, trust: Trust = TRUST, **changes: object
) -> str:
    with pytest.raises(SealRefused) as refused:
        activate(store, release, trust, **changes)
    return refused.value.code


def _files(store: ModelStore[Doubler]) -> dict[str, bytes]:
    """All that is stored, without the notes about refusals."""
    return {
        path.name: path.read_bytes()
        for path in store.folder.iterdir()
        if path.name != "refusals.json"
    }


def test_download_becomes_the_active_model(tmp_path: Path) -> None:
    """A good file is opened, kept, and found again by the next process."""
    release = doubling(7)
    download = tmp_path / "download"
    download.write_bytes(release.blob)
    store = store_in(tmp_path / "models")

    active = store.activate(download, offer_of(release), KEYS, TRUST, NOW_S)

    again = store_in(tmp_path / "models").active()
    assert again == active
    assert active.detector == Doubler(7.0, 21.0)
    assert (active.entry.model_hash, active.entry.seq) == (release.model_hash, 7)
    assert store.state().floor == Floor(1, 7)


def test_nothing_is_active_at_first(tmp_path: Path) -> None:
    """A new logger has no model, no floor, no refusals, and makes no folder by looking."""
    store = store_in(tmp_path / "models")

    assert store.active() is None
    assert store.state() == State()
    assert store.refusals().counts == {}
    assert not (tmp_path / "models").exists()


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask and whatever was there before."""
    folder = tmp_path / "models" / MODEL
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    store = store_in(tmp_path / "models")
    before = os.umask(0)
    try:
        activate(store, doubling(7))
        _refused(store, doubling(6))
    finally:
        os.umask(before)

    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()} == {0o600}


def test_predecessor_is_kept_and_no_more(tmp_path: Path) -> None:
    """After three updates the files of two models are there."""
    store = store_in(tmp_path)
    releases = [doubling(seq) for seq in (7, 8, 9)]
    for release in releases:
        activate(store, release)

    kept = {path.stem for path in store.folder.glob("*.raw")}
    assert kept == {release.model_hash for release in releases[1:]}


def test_same_release_again_keeps_the_predecessor(tmp_path: Path) -> None:
    """Downloading the active release once more does not push the predecessor out."""
    store = store_in(tmp_path)
    for seq in (7, 8, 8):
        activate(store, doubling(seq))

    previous = store.state().previous
    assert previous is not None
    assert previous.seq == 7


def test_floor_outlives_the_model(tmp_path: Path) -> None:
    """Neither a restart nor the loss of the model's file makes an older release acceptable."""
    activate(store_in(tmp_path), doubling(8))
    store = store_in(tmp_path)
    for path in store.folder.glob("*.raw"):
        path.unlink()

    assert store.active() is None
    assert _refused(store_in(tmp_path), doubling(7)) == "rollback"
    assert activate(store_in(tmp_path), doubling(8)).entry.seq == 8


def test_new_epoch_recovers_from_a_thief_who_ran_ahead(tmp_path: Path) -> None:
    """After the highest sequence of all, rotation and a new epoch let sequence 1 in again."""
    store = store_in(tmp_path)
    activate(store, doubling(2**53 - 1))
    after = msgspec.structs.replace(TRUST, version=2, epoch=2, release=pub.role("release 2"))
    good = pub.release(msgspec.json.encode(Doubler(1.0, 3.0)), ("release 2",), epoch=2, seq=1)

    assert _refused(store, doubling(2**53 - 1), after) == "threshold"
    assert activate(store, good, after).entry.seq == 1
    assert _refused(store, doubling(2**53 - 1)) == "rollback"


def test_damaged_model_is_replaced_by_its_predecessor(tmp_path: Path) -> None:
    """Another detector in the active one's file, however sound: the predecessor scores."""
    store = store_in(tmp_path)
    for seq in (7, 8):
        activate(store, doubling(seq))
    newest = store.folder / f"{doubling(8).model_hash}.raw"
    newest.write_bytes(newest.read_bytes().replace(b"8.0", b"9.0").replace(b"24.0", b"27.0"))

    active = store.active()
    assert active is not None
    assert (active.entry.seq, active.is_previous) == (7, True)
    assert not activate(store, doubling(8)).is_previous
    healed = store.active()
    assert healed is not None
    assert healed.entry.seq == 8


def test_model_of_another_engine_is_not_read(tmp_path: Path) -> None:
    """After an update of the program, payloads of the old engine are left alone."""
    activate(store_in(tmp_path), doubling(7))
    newer = ModelStore(
        tmp_path,
        MODEL,
        Engine("river-hst/2", DOUBLERS.decode, DOUBLERS.self_test),
        CLIENT_VERSION,
    )

    assert newer.active() is None


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"factor":2.0,"of_three":6.5}', "self_test"),
        (b'{"factor":2.0}', "payload"),
        (b"cos\nsystem\n(S'true'\ntR.", "payload"),
    ],
)
def test_payload_must_score_as_at_the_trainer(tmp_path: Path, payload: bytes, code: str) -> None:
    """What decrypts and is no detector, or scores differently here, is not activated."""
    store = store_in(tmp_path)
    activate(store, doubling(7))
    before = _files(store)

    assert _refused(store, pub.release(payload, seq=8)) == code
    assert _files(store) == before


def test_fleet_grant_opens_with_the_fleet_key_only(tmp_path: Path) -> None:
    """The check says by which key a grant is sealed; without that key it does not open."""
    store, release = store_in(tmp_path), doubling(7)
    fleet = release.grant("fleet")
    bare = OwnKeys(HOME, pub.secret("home"))

    assert _refused(store, release, grant=fleet) == "grant_sealed"
    with pytest.raises(SealRefused, match="no fleet key"):
        store.activate(
            release.blob, offer_of(release, grant=fleet, is_fleet_grant=True), bare, TRUST, NOW_S
        )
    assert activate(store, release, grant=fleet, is_fleet_grant=True).entry.seq == 7


def test_keys_are_not_printed() -> None:
    """A traceback or a log line with the keys' holder shows none of them."""
    assert repr(KEYS) == str(KEYS) == "OwnKeys(...)"


def test_large_download_is_not_read(tmp_path: Path) -> None:
    """Above the logger's own cap neither a path nor bytes are looked at."""
    store = store_in(tmp_path / "models")
    path = tmp_path / "download"
    path.write_bytes(bytes(BLOB_BYTES_USUAL_MAX + 1))
    for file in (path, path.read_bytes()):
        with pytest.raises(SealRefused) as refused:
            store.activate(file, offer_of(doubling(7)), KEYS, TRUST, NOW_S)
        assert refused.value.code is Reject.SIZE


def test_missing_download_is_a_refusal(tmp_path: Path) -> None:
    """A download that is gone is counted like every other reason."""
    store = store_in(tmp_path / "models")
    with pytest.raises(SealRefused) as refused:
        store.activate(tmp_path / "nowhere", offer_of(doubling(7)), KEYS, TRUST, NOW_S)

    assert refused.value.code is Reject.STORAGE
    assert store.refusals().counts == {Reject.STORAGE: 1}


def test_refusals_are_counted_by_code(tmp_path: Path) -> None:
    """Nothing is refused uncounted, also across restarts; the last one is kept with its release."""
    activate(store_in(tmp_path), doubling(8))
    for seq in (6, 7):
        _refused(store_in(tmp_path), doubling(seq))
    _refused(store_in(tmp_path), doubling(9), grant=b"")

    refusals = store_in(tmp_path).refusals()
    assert refusals.counts == {Reject.ROLLBACK: 2, Reject.GRANT_LENGTH: 1}
    assert (refusals.code, refusals.at_s) == (Reject.GRANT_LENGTH, NOW_S)
    assert refusals.model_hash == doubling(9).model_hash


def test_unreadable_counts_start_anew(tmp_path: Path) -> None:
    """Damaged statistics do not stand in the way of the reason."""
    store = store_in(tmp_path)
    activate(store, doubling(8))
    (store.folder / "refusals.json").write_bytes(b"{")

    assert _refused(store, doubling(7)) == "rollback"
    assert store.refusals().counts == {Reject.ROLLBACK: 1}


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, b" " * 70_000, b'{"x":' + b"[" * 60_000])
def test_unreadable_state_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """A bad memory card costs the floor, loudly, and not all further updates."""
    store = store_in(tmp_path)
    activate(store, doubling(8))
    (store.folder / "state.json").write_bytes(damage)

    assert store.active() is None
    assert activate(store, doubling(9)).entry.seq == 9
    assert store.refusals().counts == {Reject.STATE_DAMAGED: 1}
    assert (store.folder / "state.damaged").read_bytes() == damage


def test_state_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    """A failing disk is a failing disk: starting anew would forget the floor for nothing."""
    store = store_in(tmp_path)
    (store.folder / "state.json").mkdir(parents=True)

    assert _refused(store, doubling(7)) == "storage"
    with pytest.raises(SealRefused):
        store.active()


def test_freshness_must_name_the_release(tmp_path: Path) -> None:
    """A statement about another release, or a stale one, stops an update."""
    store, release = store_in(tmp_path), doubling(7)

    assert _refused(store, release, fresh=doubling(8).fresh()) == "fresh_other_release"
    assert _refused(store, release, fresh=release.fresh(expires_s=NOW_S)) == "fresh_expired"
    activate(store, release, fresh=release.fresh())
    assert store.state().fresh_issued_s == NOW_S - 3600


def test_freshness_without_update_is_noted(tmp_path: Path) -> None:
    """The newest statement's time is kept; an older one does not turn it back."""
    store, release = store_in(tmp_path), doubling(7)
    activate(store, release)
    for issued_s in (NOW_S - 60, NOW_S - 7200):
        store.note_fresh(release.fresh(issued_s=issued_s), TRUST, NOW_S)

    assert store.state().fresh_issued_s == NOW_S - 60
    with pytest.raises(SealRefused):
        store.note_fresh(doubling(6).fresh(), TRUST, NOW_S)
    assert store.refusals().counts == {Reject.FRESH_ROLLBACK: 1}


def test_time_of_a_retired_key_is_forgotten(tmp_path: Path) -> None:
    """A thief of the timestamp key who ran ahead a day loses that day with the key."""
    store, release = store_in(tmp_path), doubling(7)
    ahead = release.fresh(issued_s=NOW_S + DAY_S, expires_s=NOW_S + 2 * DAY_S)
    store.note_fresh(ahead, TRUST, NOW_S)
    rotated = msgspec.structs.replace(TRUST, version=2)

    assert store.cycle_start_s(NOW_S, 0, TRUST) == NOW_S + DAY_S
    assert store.cycle_start_s(NOW_S, 0, rotated) == NOW_S
    assert store.cycle_start_s(0, NOW_S - DAY_S, rotated) == NOW_S - DAY_S
    store.note_fresh(release.fresh(), rotated, NOW_S)
    assert store.state().fresh_issued_s == NOW_S - 3600
