"""Every vector of HPM1 through the store: the code, nothing changed, and the next update works."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from simulators import publisher as pub
from simulators.logger import IDENTITY, KEYS, offer_of
from simulators.publisher import CLIENT_VERSION, ENGINE, MODEL, NOW_S
from simulators.sealed_vectors import Index, Vector

from heatpool_client.model_notes import State
from heatpool_client.models import Engine, ModelStore, Offer, OwnKeys
from heatpool_contract import detector
from heatpool_contract.detector_checks import MalformedDetector
from heatpool_contract.rejects import SealRefused
from heatpool_contract.sealed import Floor
from heatpool_contract.trust import first

VECTORS = Path(__file__).parent.parent / "vectors" / "sealed"
INDEX = msgspec.json.decode((VECTORS / "index.json").read_bytes(), type=Index)


@pytest.mark.parametrize("vector", INDEX.vectors, ids=lambda vector: vector.name)
def test_vector_is_answered_and_leaves_the_store_alone(tmp_path: Path, vector: Vector) -> None:
    """Each file gets its code, a refusal changes no byte but its count, the next update works."""
    engine = Engine(
        ENGINE,
        detector.decode if vector.decode else bytes,
        lambda _: True,
        (MalformedDetector,),
    )
    store: ModelStore[object] = ModelStore(tmp_path, MODEL, engine, CLIENT_VERSION)
    floor = Floor(*vector.floor) if vector.floor else Floor(1, 1)
    store.folder.mkdir(parents=True)
    (store.folder / "state.json").write_bytes(msgspec.json.encode(State(floor=floor)))
    before = _names(store.folder)
    file = VECTORS / f"{vector.name}.hpm"
    name = vector.model_hash or sha256(file.read_bytes()).hexdigest()
    offer = Offer(model_hash=name, grant=vector.grant, is_fleet_grant=vector.fleet)
    keys = OwnKeys(INDEX.installation, INDEX.home_private_key, INDEX.fleet_private_key)

    if vector.expect == "ok":
        store.activate(file, offer, keys, first(INDEX.trusts[vector.trust]), INDEX.now_s)
        assert store.refusals().code is None
        return
    with pytest.raises(SealRefused) as refused:
        store.activate(file, offer, keys, first(INDEX.trusts[vector.trust]), INDEX.now_s)
    assert refused.value.code == vector.expect
    assert store.refusals().counts == {vector.expect: 1}
    assert _names(store.folder) == before
    good = pub.release(epoch=floor.epoch, seq=9)
    store = ModelStore(tmp_path, MODEL, IDENTITY, CLIENT_VERSION)
    trust = first(INDEX.trusts["plain" if floor.epoch == 1 else "epoch_2"])
    store.activate(good.blob, offer_of(good), KEYS, trust, NOW_S)
    assert store.state().floor == Floor(floor.epoch, 9)


def _names(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name not in {"refusals.json", "lock"}
    }
