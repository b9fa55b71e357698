"""Exported days on disk: as the store has them, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heatpool_trainer.day_store import DayStore
from heatpool_trainer.readings import HomeSeries

if TYPE_CHECKING:
    from pathlib import Path

HOME, OTHER = "a" * 32, "b" * 32


def day(home: str = HOME) -> HomeSeries:
    """Three readings."""
    columns = {"b": np.array([1.5, np.nan, -0.0]), "a": np.array([1e300, 2.0, 3.0])}
    return HomeSeries(home, np.array([1, 2, 5]), columns)


def test_a_day_comes_back_bit_by_bit(tmp_path: Path) -> None:
    """Missing values and signs of zeros included; another fingerprint is another day."""
    days = DayStore(tmp_path)
    days.put("m", 7, "f1", day())

    found = days.get("m", HOME, 7, "f1")

    assert found is not None
    assert found.timestamps_ms.tolist() == [1, 2, 5]
    assert {name: column.tobytes() for name, column in found.columns.items()} == {
        name: column.tobytes() for name, column in day().columns.items()
    }
    assert days.get("m", HOME, 7, "f2") is None
    assert days.get("m", HOME, 8, "f1") is None


def test_a_damaged_day_is_missing(tmp_path: Path) -> None:
    """Every cut and a flipped bit anywhere."""
    days = DayStore(tmp_path)
    days.put("m", 7, "f", day())
    (path,) = tmp_path.rglob("7.f")
    whole = path.read_bytes()

    for damaged in (
        *(whole[:size] for size in range(0, len(whole), 7)),
        *(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 5)),
    ):
        path.write_bytes(damaged)
        assert days.get("m", HOME, 7, "f") is None


def test_a_forgotten_home_is_gone_from_the_disk(tmp_path: Path) -> None:
    """Under every model; others stay."""
    days = DayStore(tmp_path)
    for model in ("m", "n"):
        days.put(model, 7, "f", day())
    days.put("m", 7, "f", day(OTHER))

    assert days.forget(HOME)

    assert not days.forget(HOME)
    assert days.homes() == {OTHER}
    assert not [path for path in tmp_path.rglob("*") if HOME in str(path)]


def test_what_slides_out_of_the_window_or_changed_is_deleted(tmp_path: Path) -> None:
    """`keep` names all that may stay."""
    days = DayStore(tmp_path)
    for number, fingerprint in ((7, "old"), (8, "same"), (9, "changed")):
        days.put("m", number, fingerprint, day())

    days.keep("m", HOME, {8: "same", 9: "new"})

    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["8.same"]


def test_the_oldest_days_go_first_when_there_is_no_room(tmp_path: Path) -> None:
    """Until the rest fits."""
    days = DayStore(tmp_path)
    size = max(days.put("m", number, "f", day()) for number in (9, 7, 8))

    left = days.trim(2 * size)

    assert left == 2 * size
    assert sorted(path.name for path in tmp_path.rglob("*.f")) == ["8.f", "9.f"]
