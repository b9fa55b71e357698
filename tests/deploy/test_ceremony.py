"""Key ceremonies on a folder: every file that comes out is one that clients follow."""

from __future__ import annotations

import os
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from simulators.publisher import NOW_S

from heatpool_contract.dsse import public_key_of
from heatpool_deploy import ceremony
from heatpool_deploy.ceremony import CeremonyError, chain, co_sign, latest, rotate
from heatpool_deploy.keys import OFFLINE, RELEASE_SEED, TIMESTAMP_SEED, make_keys

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool's keys."""
    make_keys(tmp_path / "keys", os.urandom, NOW_S)
    return tmp_path / "keys"


def seed(path: Path) -> bytes:
    """A key from its file."""
    return b64decode(path.read_text())


def test_release_key_is_replaced_and_the_epoch_stays(folder: Path) -> None:
    """A rotation: the new key signs from now on, floors stay; the old one is kept by name."""
    before = seed(folder / RELEASE_SEED)

    after = rotate(folder, "release", os.urandom, NOW_S)

    assert (after.trust.version, after.trust.epoch, after.missing) == (2, 1, 0)
    assert after.trust.release.keys == (public_key_of(seed(folder / RELEASE_SEED)),)
    assert seed(folder / f"{RELEASE_SEED}.until.1") == before
    assert [version for version, _ in chain(folder)] == [1, 2]


def test_revoked_release_key_begins_a_new_epoch(folder: Path) -> None:
    """The way back from a thief's highest sequence number."""
    assert rotate(folder, "release", os.urandom, NOW_S, new_epoch=True).trust.epoch == 2


def test_ten_ceremonies_of_all_roles_are_one_chain(folder: Path) -> None:
    """Root keys too: each step is signed by the old and by the new ones."""
    for number in range(10):
        role = ("root", "release", "timestamp")[number % 3]
        rotate(folder, role, os.urandom, NOW_S + number)  # type: ignore[arg-type]  # one of the three

    assert [version for version, _ in chain(folder)] == list(range(1, 12))
    assert latest(folder).trust.timestamp.keys == (public_key_of(seed(folder / TIMESTAMP_SEED)),)


def test_root_keys_that_lie_apart_sign_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    """Two sticks with one key each: neither alone completes the file."""
    sticks = [tmp_path / "one", tmp_path / "two"]
    for number, stick in enumerate(sticks, 1):
        stick.mkdir()
        (folder / OFFLINE / f"root_{number}").rename(stick / f"root_{number}")
    (folder / OFFLINE / "root_3").unlink()

    first = rotate(folder, "release", os.urandom, NOW_S, offline=[sticks[0]])
    assert first.missing == 2  # one for the new file's roots, one for the old one's: the same key
    with pytest.raises(CeremonyError, match="would be refused: trust_threshold"):
        chain(folder)
    with pytest.raises(CeremonyError, match="still lacks"):
        rotate(folder, "timestamp", os.urandom, NOW_S, offline=sticks)

    assert co_sign(folder, [sticks[1]]).missing == 0
    assert [version for version, _ in chain(folder)] == [1, 2]


def test_nothing_is_overwritten_and_secrets_are_private(folder: Path) -> None:
    """All files of a ceremony are 0600; without a root key nothing is written."""
    rotate(folder, "root", os.urandom, NOW_S)
    for path in [*folder.glob("*"), *(folder / OFFLINE).glob("*")]:
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    empty = folder.parent / "empty"
    empty.mkdir()

    with pytest.raises(CeremonyError, match="no root key"):
        rotate(folder, "release", os.urandom, NOW_S, offline=[empty])

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def test_folder_without_trust_file_says_what_to_do(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(CeremonyError, match="keys init"):
        ceremony.latest(tmp_path)
