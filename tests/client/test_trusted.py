"""The trust file on the logger: it moves forward along the chain, and survives what disks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.publisher import TRUST, role, trust_file

from heatpool_client.durable import Disk
from heatpool_client.trusted import advance, believed
from heatpool_contract.rejects import Reject, SealRefused

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = trust_file(TRUST)
SECOND = msgspec.structs.replace(TRUST, version=2, release=role("release 2"))
THIRD = msgspec.structs.replace(TRUST, version=3, epoch=2)
STEPS = [trust_file(SECOND), trust_file(THIRD)]


def test_shipped_file_is_the_beginning(tmp_path: Path) -> None:
    """A new logger goes by what came with the program."""
    assert believed(tmp_path / "new", SHIPPED) == TRUST


def test_chain_is_walked_once(tmp_path: Path) -> None:
    """What was reached is found again after a restart."""
    assert advance(tmp_path, believed(tmp_path, SHIPPED), STEPS) == THIRD
    assert believed(tmp_path, SHIPPED) == THIRD


def test_no_steps_change_nothing(tmp_path: Path) -> None:
    """A hub without news costs no write."""
    assert advance(tmp_path, TRUST, []) == TRUST
    assert list(tmp_path.iterdir()) == []


def test_refused_chain_changes_nothing(tmp_path: Path) -> None:
    """A chain that breaks at its end is not followed half way."""
    advance(tmp_path, TRUST, STEPS[:1])
    with pytest.raises(SealRefused) as refused:
        advance(tmp_path, TRUST, [*STEPS, STEPS[0]])

    assert refused.value.code is Reject.TRUST_VERSION
    assert believed(tmp_path, SHIPPED) == SECOND


def test_newer_program_brings_a_newer_file(tmp_path: Path) -> None:
    """What is shipped later than what is stored wins; what is shipped earlier does not."""
    advance(tmp_path, TRUST, STEPS[:1])

    assert believed(tmp_path, STEPS[1]) == THIRD
    assert believed(tmp_path, SHIPPED) == SECOND


@pytest.mark.parametrize("damage", [b"", b"{", b" " * 70_000])
def test_damaged_file_falls_back_to_the_shipped_one(tmp_path: Path, damage: bytes) -> None:
    """From there the chain can be walked again."""
    advance(tmp_path, TRUST, STEPS)
    (tmp_path / "trust.json").write_bytes(damage)

    assert believed(tmp_path, SHIPPED) == TRUST
    assert advance(tmp_path, TRUST, STEPS) == THIRD


def test_unreadable_file_is_not_taken_for_none(tmp_path: Path) -> None:
    """A failing disk is not the same as a new logger."""
    (tmp_path / "trust.json").mkdir()
    with pytest.raises(SealRefused) as refused:
        believed(tmp_path, SHIPPED)

    assert refused.value.code is Reject.STORAGE


class FullDisk(Disk):
    """No space left."""

    def write(self, path: Path, content: bytes) -> None:
        """Never."""
        raise OSError(28, f"{len(content)} bytes do not fit", str(path))


def test_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    """A step that cannot be stored is not taken."""
    advance(tmp_path, TRUST, STEPS[:1])
    with pytest.raises(SealRefused) as refused:
        advance(tmp_path, SECOND, STEPS[1:], FullDisk())

    assert refused.value.code is Reject.STORAGE
    assert believed(tmp_path, SHIPPED) == SECOND
