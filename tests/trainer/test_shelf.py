"""What channels see of a home comes back from its file as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpool_trainer import shelf
from heatpool_trainer.cross_fit import HomeInputs, Inputs

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_seen_of_a_home_comes_back_bit_by_bit(tmp_path: Path) -> None:
    """Under every model, in every mode and channel; gaps, beginnings and nothing at all."""
    chance = np.random.default_rng(1)

    def some(rows: int, features: int) -> Inputs:
        vectors = chance.normal(size=(rows, features))
        vectors[chance.random(vectors.shape) < 0.2] = np.nan
        return Inputs(np.arange(rows) * 60_000, vectors, (0, rows // 2) if rows else (0,))

    modes = [(3, 40), (8, 0), (0, 7)]
    home = HomeInputs(
        fold=1,
        to_ms=2_400_000,
        inputs=[
            [{"home": some(rows, size), "fleet": some(rows + 5, size)} for size, rows in modes]
            for _model in range(3)
        ],
    )

    kept = shelf.store("a/0", home, tmp_path)

    assert (kept.fold, kept.to_ms, kept.models) == (home.fold, home.to_ms, home.models)
    for model in range(3):
        for mode in range(len(modes)):
            for kind in ("home", "fleet"):
                was, found = home.seen(model, mode, kind), kept.seen(model, mode, kind)
                assert found.vectors.shape == was.vectors.shape
                assert found.vectors.tobytes() == was.vectors.tobytes()
                assert found.timestamps_ms.tolist() == was.timestamps_ms.tolist()
                assert found.starts == was.starts
                assert kept.rows(model, mode, kind) == home.rows(model, mode, kind)
