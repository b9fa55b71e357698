"""What the trainer keeps for itself: nobody else reads it, and nobody else can have made it."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from simulators.publisher import PAYLOAD, release

from heatpool_contract import keeping, sealed
from heatpool_contract.release import ServedRelease

SEED, NONCE = bytes(range(32)), bytes(24)
RELEASE = release()
GOOD, CEK = RELEASE.blob, RELEASE.cek


def served(blob: bytes, cek: bytes = CEK) -> ServedRelease:
    """As the trainer points at a file."""
    name = sealed.model_hash(blob)
    return ServedRelease(
        model_hash=name,
        size=len(blob),
        version="v2026.11",
        epoch=1,
        seq=1,
        created_ms=0,
        expires_ms=1,
        cek_sealed=b"",
        state="released",
        installations=5,
        samples=9,
        payload_sha256=sha256(PAYLOAD).hexdigest(),
        cek_kept=keeping.keep(SEED, name, cek, NONCE),
    )


def test_a_box_opens_for_its_key_under_its_name_alone() -> None:
    """Not for another seed, not as something else, not cut, not empty."""
    box = keeping.keep(SEED, "a", b"data", NONCE)

    assert keeping.kept(SEED, "a", box) == b"data"
    assert keeping.kept(bytes(32), "a", box) is None
    assert keeping.kept(SEED, "b", box) is None
    assert all(keeping.kept(SEED, "a", box[:size]) is None for size in range(len(box)))


def test_the_predecessor_is_the_one_that_was_released() -> None:
    """Its file, its content key, its payload."""
    assert keeping.payload_of(SEED, served(GOOD), GOOD) == PAYLOAD


@pytest.mark.parametrize(
    "change",
    [
        {"model_hash": "0" * 64},
        {"cek_kept": b""},
        {"cek_kept": keeping.keep(bytes(32), sealed.model_hash(GOOD), CEK, NONCE)},
        {"cek_kept": keeping.keep(SEED, sealed.model_hash(GOOD), bytes(32), NONCE)},
        {"payload_sha256": "0" * 64},
    ],
    ids=["other file", "no key", "former seed", "other key", "other payload"],
)
def test_a_pointer_that_was_written_by_another_yields_nothing(change: dict[str, object]) -> None:
    """Whoever may write to the bus cannot choose what the next candidate is compared with."""
    forged = msgspec.structs.replace(served(GOOD), **change)

    assert keeping.payload_of(SEED, forged, GOOD) is None
    assert keeping.payload_of(SEED, served(GOOD), GOOD[:-1]) is None
