"""From what homes send to what a detector looks at: decided by most homes, with data, not code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from heatpool_trainer.catalogue import Catalogue, MalformedCatalogue, load_catalogue
from heatpool_trainer.design import COVERAGE_MIN, Design, design
from heatpool_trainer.readings import HomeSeries
from heatpool_trainer.survey import survey

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_trainer.native import Floats

SIZE = 600


def home(name: str, columns: dict[str, Floats], interval_ms: int = 60_000) -> HomeSeries:
    """One recording."""
    times_ms = np.arange(SIZE, dtype=np.int64) * interval_ms
    return HomeSeries(name, times_ms, columns)


def wave(low: float, high: float, seed: int = 0) -> Floats:
    """Values between two limits."""
    return np.random.default_rng(seed).uniform(low, high, SIZE)


def designed(homes: list[HomeSeries], catalogue: Catalogue) -> Design | None:
    """As a training does it."""
    surveys = [survey(one, catalogue, COVERAGE_MIN) for one in homes]
    return design("m", catalogue, [one for one in surveys if one is not None])


IDM = {
    "temp_outside": wave(-5, 10),
    "temp_heat_pump_flow": wave(30, 40),
    "temp_heat_pump_return": wave(25, 33),
    "power_current": wave(3, 9),
    "power_current_draw": wave(1, 3),
    "status_heat_pump": np.ones(SIZE),
}


def test_a_navigator_without_compressor_frequency_is_conditioned_on_its_heat(
    catalogue: Catalogue,
) -> None:
    """IDM's registers under IDM's names, in kW; COP is computed, the spread too."""
    found = designed([home(str(i), IDM) for i in range(3)], catalogue)

    assert found is not None
    heating = next(
        plan
        for mode, plan in zip(found.skeleton.modes, found.modes, strict=True)
        if mode.name == "heating"
    )
    assert found.profile == "heat_pump"
    assert heating.conditioners == ("temp_outdoor", "temp_flow", "power_thermal")
    assert [name for name, _ in heating.targets] == ["cop_measured", "power_electric", "spread"]


@pytest.mark.parametrize(("factor", "scale"), [(1_000.0, 0.001), (1.0, 1.0)])
def test_watts_and_kilowatts_are_told_apart_by_their_size(
    catalogue: Catalogue, factor: float, scale: float
) -> None:
    """One name, two units in the field: the payload says what this model's loggers mean."""
    plain = {
        "temp_outdoor": wave(-5, 10),
        "temp_flow": wave(30, 40),
        "compressor_freq": wave(20, 60),
        "power_electric": wave(1, 3) * factor,
        "power_thermal": wave(3, 9) * factor,
    }
    found = designed([home(str(i), plain) for i in range(3)], catalogue)

    assert found is not None
    sources = {field.name: field.sources for field in found.skeleton.fields}
    assert [one.scale for one in sources["power_electric"]] == [scale]
    assert [one.scale for one in sources["power_thermal"]] == [scale]


def test_a_single_home_decides_nothing(catalogue: Catalogue) -> None:
    """Fields of one home in three are not used, and its odd range sets no limit."""
    common = {"x": wave(0, 1), "y": wave(5, 6)}
    homes = [home(str(i), common) for i in range(4)]
    odd = home("9", {"x": wave(0, 1), "y": wave(5, 1e9), "z": wave(0, 1)})

    found = designed([*homes, odd], catalogue)

    assert found is not None
    limits = {field.name: field.high for field in found.skeleton.fields}
    assert set(limits) == {"x", "y"}
    assert limits["y"] < 1e8 * 101


def test_unknown_machines_are_taken_as_they_are_without_meters_and_constants(
    catalogue: Catalogue,
) -> None:
    """Any fields train; a counter is no state, a constant no information."""
    columns = {
        "vibration": wave(0, 1),
        "meter_kwh": np.cumsum(wave(0, 1)),
        "serial": np.full(SIZE, 7.0),
        "rare": np.where(np.arange(SIZE) % 3 == 0, wave(0, 1), math.nan),
    }
    found = designed([home(str(i), columns, 1_000) for i in range(3)], catalogue)

    assert found is not None
    assert found.profile == "any_machine"
    assert [field.name for field in found.skeleton.fields] == ["vibration"]
    assert found.skeleton.modes[0].mean_readings == 15
    assert found.skeleton.interval_ms == 1_000


def test_durations_become_readings_at_the_loggers_pace(catalogue: Catalogue) -> None:
    """An hour's mean is 60 readings a minute apart and 12 five minutes apart."""
    readings = []
    for interval_ms in (60_000, 300_000):
        found = designed([home(str(i), IDM, interval_ms) for i in range(3)], catalogue)
        assert found is not None
        readings.append(next(m.mean_readings for m in found.skeleton.modes if m.name == "heating"))

    assert readings == [60, 12]


def test_nothing_in_common_is_no_design(catalogue: Catalogue) -> None:
    """Homes that share no field that varies."""
    homes = [home(str(i), {f"x{i}": wave(0, 1)}) for i in range(3)]

    assert designed(homes, catalogue) is None


def test_an_empty_recording_has_no_survey(catalogue: Catalogue) -> None:
    """An interval needs two readings."""
    empty = HomeSeries("0", np.array([5]), {"x": np.array([1.0])})

    assert survey(empty, catalogue, COVERAGE_MIN) is None


def test_the_catalogue_names_fields_once_and_refers_to_what_it_has(catalogue: Catalogue) -> None:
    """A slip in the data file is found here, not in a training."""
    names = [one.name for one in catalogue.sensors] + [one.name for one in catalogue.derived]
    used = {c.field for s in catalogue.sensors for c in s.valid_when}
    for mode in (mode for profile in catalogue.profiles for mode in profile.modes):
        used |= {c.field for group in (*mode.conditions, *mode.running) for c in group}
        used |= {name for group in mode.conditioners for name in group}
        used |= {name for target in mode.targets for name in target.fields}
        used |= {limit.field for limit in mode.rates}

    assert len(names) == len(set(names))
    assert used <= set(names)
    assert all(one.low < one.high for one in catalogue.sensors)


def test_an_operators_own_catalogue_is_read_and_checked(tmp_path: Path) -> None:
    """Unknown keys are a slip, not an extension."""
    path = tmp_path / "catalogue.toml"
    path.write_text("sensors = []\nprofiles = []\n")
    assert load_catalogue(path) == Catalogue(sensors=(), profiles=())
    path.write_text("sensors = []\nprofiles = []\nsensor = 1\n")

    with pytest.raises(MalformedCatalogue):
        load_catalogue(path)
