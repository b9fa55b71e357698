"""Every file of `tests/vectors/sealed` gets the answer that its index promises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from simulators.sealed_vectors import Index, Vector

from heatpool_contract import detector, sealed
from heatpool_contract.detector_checks import MalformedDetector
from heatpool_contract.grants import open_grant
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import Expected, Floor
from heatpool_contract.trust import first

VECTORS = Path(__file__).parent.parent / "vectors" / "sealed"
BEYOND_THE_CONTRACT = frozenset(
    reject
    for reject in Reject
    if reject.startswith(("trust_", "fresh_", "key_", "request_", "stor", "state_"))
    and reject is not Reject.TRUST_EXPIRED
) | {Reject.SIZE, Reject.SELF_TEST}
"""Codes that no single release file can provoke (`size` would be a file of 32 MiB)."""


INDEX = msgspec.json.decode((VECTORS / "index.json").read_bytes(), type=Index)


def _answer(vector: Vector) -> str:
    blob = (VECTORS / f"{vector.name}.hpm").read_bytes()
    name = vector.model_hash or sealed.model_hash(blob)
    expected = Expected(
        model_hash=name,
        model=INDEX.model,
        engine=INDEX.engine,
        client_version=INDEX.client_version,
        floor=Floor(*vector.floor) if vector.floor else None,
    )
    key = INDEX.fleet_private_key if vector.fleet else INDEX.home_private_key
    try:
        verified = sealed.verify(blob, expected, first(INDEX.trusts[vector.trust]), INDEX.now_s)
        cek = open_grant(vector.grant, key, name, INDEX.installation, INDEX.now_s)
        raw = sealed.open_payload(verified, cek)
        if vector.decode:
            detector.decode(raw)
    except SealRefused as refused:
        return refused.code
    except MalformedDetector:
        return Reject.PAYLOAD
    return "ok"


@pytest.mark.parametrize("vector", INDEX.vectors, ids=lambda vector: vector.name)
def test_vector(vector: Vector) -> None:
    """Each file of `tests/vectors/sealed` gets the answer that the index promises."""
    assert _answer(vector) == vector.expect


def test_index_and_files_agree() -> None:
    """No file is without a row, no row without a file, and there are at least sixty."""
    files = {path.stem for path in VECTORS.glob("*.hpm")}

    assert files == {vector.name for vector in INDEX.vectors}
    assert len(files) == len(INDEX.vectors) >= 60


def test_every_code_of_a_release_has_a_vector() -> None:
    """A new check needs a file that fails it alone."""
    assert {vector.expect for vector in INDEX.vectors} == {
        "ok",
        *(reject.value for reject in Reject if reject not in BEYOND_THE_CONTRACT),
    }
