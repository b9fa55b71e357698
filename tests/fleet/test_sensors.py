"""Readings: documented names, real errors, sensor faults that break one reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from heatpool_contract.telemetry import FIELD_NAME, FIELDS_PER_RECORD_MAX
from heatpool_fleet.chance import DAY_S
from heatpool_fleet.faults import Fault, FaultKind, FaultSpellingError
from heatpool_fleet.homes import Naming, make_homes
from heatpool_fleet.sensors import CATALOGUE, COP_NAME
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from heatpool_fleet.recording import Recording

JANUARY_S = 1_768_003_200.0
PLAIN = [
    "temp_outdoor",
    "temp_flow",
    "temp_return",
    "temp_dhw",
    "power_electric",
    "power_compressor",
    "power_thermal",
    "compressor_freq",
    "fan_speed",
    "pressure_high",
    "pressure_low",
    "flow_rate",
    "status",
    "cop_current",
]


@pytest.mark.parametrize("naming", Naming)
def test_every_name_is_legal_and_documented(naming: Naming) -> None:
    """Names pass the contract, are unique, and carry a unit; columns are exactly the catalogue."""
    sensors = CATALOGUE[naming]
    names = [sensor.name for sensor in sensors]
    recording = simulate(make_homes(1, 1, naming=naming), JANUARY_S, 0.05, 60.0, 1)[0]
    derived = [COP_NAME] if naming is Naming.PLAIN else []

    assert all(FIELD_NAME.fullmatch(name) for name in names)
    assert all(sensor.kind.unit for sensor in sensors)
    assert list(recording.columns) == names + derived
    assert len(set(recording.columns)) < FIELDS_PER_RECORD_MAX


def test_plain_names_are_those_of_the_guide(winter: list[Recording]) -> None:
    """The scheme that detectors are built on does not change by accident."""
    assert list(winter[0].columns) == PLAIN


def test_both_schemes_show_the_same_home() -> None:
    """Codes agree exactly; power agrees in its own unit, within two meters' errors."""
    plain = simulate(make_homes(1, 1), JANUARY_S, 1.0, 60.0, 1)[0].columns
    idm = simulate(make_homes(1, 1, naming=Naming.IDM), JANUARY_S, 1.0, 60.0, 1)[0].columns

    assert np.array_equal(plain["status"], idm["status_heat_pump"])
    assert 1_000.0 * idm["power_current_draw"].mean() == pytest.approx(
        plain["power_electric"].mean(), rel=0.06
    )
    assert idm["temp_outside"].mean() == pytest.approx(plain["temp_outdoor"].mean(), abs=1.2)
    assert np.all(idm["temp_water_heater_top"] > idm["temp_water_heater_bottom"] - 2.0)


@pytest.mark.parametrize("naming", Naming)
def test_resolution_is_the_sensors(naming: Naming) -> None:
    """A reading has no more decimals than its sensor shows."""
    recording = simulate(make_homes(1, 2, naming=naming), JANUARY_S, 0.2, 60.0, 2)[0]

    for sensor in CATALOGUE[naming]:
        column = recording.columns[sensor.name]
        assert np.array_equal(column, np.round(column, sensor.kind.decimals))


def test_records_are_what_loggers_post(winter: list[Recording]) -> None:
    """Timestamp first, then every column as plain number; codes are integers; JSON takes it."""
    recording = winter[0]
    records = list(recording.records(10, 13))

    assert len(records) == 3
    assert list(records[0]) == ["timestamp", *PLAIN]
    assert [record["timestamp"] for record in records] == recording.timestamps_s[10:13].tolist()
    assert all(isinstance(record["status"], int) for record in records)
    assert records[1]["temp_flow"] == recording.columns["temp_flow"][11]
    assert msgspec.json.decode(msgspec.json.encode(records)) == records
    assert recording.samples == 3 * 1_440 * 14
    assert len(list(recording.records())) == 3 * 1_440


def test_cop_is_the_quotient_of_the_readings(winter: list[Recording]) -> None:
    """Heat over power as read; 0 while the machine rests or defrosts."""
    c = winter[0].columns
    running = (c["power_electric"] >= 100.0) & (c["power_thermal"] > 0.0)
    ratio = c["power_thermal"][running] / c["power_electric"][running]

    assert c["cop_current"][running] == pytest.approx(ratio, abs=0.006)
    assert np.all(c["cop_current"][~running] == 0.0)


@pytest.fixture(scope="module")
def sound() -> Recording:
    """Home 0 on two winter days."""
    return simulate(make_homes(1, 3), JANUARY_S, 2.0, 60.0, 3)[0]


def broken(fault: Fault) -> Recording:
    """The same home with a fault."""
    return simulate(make_homes(1, 3), JANUARY_S, 2.0, 60.0, 3, {0: fault})[0]


def only_differs(one: Recording, other: Recording, name: str) -> bool:
    """Whether exactly this column differs."""
    return [
        key for key in one.columns if not np.array_equal(one.columns[key], other.columns[key])
    ] == [name]


@pytest.mark.parametrize(
    ("sensor", "grade"), [("temp_return", -2.0), ("pressure_high", 0.5), ("temp_outdoor", 3.0)]
)
def test_offset_moves_one_reading_from_the_onset(
    sound: Recording, sensor: str, grade: float
) -> None:
    """One column, by the grade, after the onset; nothing else, for the machine runs as before."""
    faulty = broken(Fault(FaultKind.SENSOR_OFFSET, grade, JANUARY_S + DAY_S, sensor))
    difference = faulty.columns[sensor] - sound.columns[sensor]

    assert only_differs(sound, faulty, sensor)
    assert np.all(difference[:1_440] == 0.0)
    assert difference[1_440:] == pytest.approx(np.full(1_440, grade), abs=0.101)


def test_drift_grows_by_the_grade_each_day(sound: Recording) -> None:
    """A day after the onset the reading is off by the grade."""
    faulty = broken(Fault(FaultKind.SENSOR_DRIFT, 1.0, JANUARY_S + DAY_S, "temp_flow"))
    difference = faulty.columns["temp_flow"] - sound.columns["temp_flow"]

    assert only_differs(sound, faulty, "temp_flow")
    assert difference[-1] == pytest.approx(1.0, abs=0.11)
    assert difference[1_440 + 720] == pytest.approx(0.5, abs=0.11)


def test_stuck_reading_has_no_variance(sound: Recording) -> None:
    """From the onset on the last value stays."""
    faulty = broken(Fault(FaultKind.SENSOR_STUCK, 0.0, JANUARY_S + DAY_S, "pressure_low"))
    column = faulty.columns["pressure_low"]

    assert only_differs(sound, faulty, "pressure_low")
    assert np.all(column[1_440:] == column[1_440])
    assert column[:1_440].std() > 0.0


def test_broken_power_meter_is_seen_in_the_cop(sound: Recording) -> None:
    """The controller divides what it reads, so a wrong meter makes a wrong COP."""
    faulty = broken(Fault(FaultKind.SENSOR_OFFSET, 300.0, JANUARY_S, "power_electric"))
    running = sound.columns["cop_current"] > 0.0

    assert np.all(faulty.columns["cop_current"][running] < sound.columns["cop_current"][running])


@pytest.mark.parametrize(
    ("naming", "sensor"),
    [(Naming.PLAIN, "nose"), (Naming.IDM, "pressure_high"), (Naming.IDM, "temp_outside")],
)
def test_sensor_that_is_not_there_cannot_break(naming: Naming, sensor: str) -> None:
    """Unknown names and sensors that the scheme lacks are errors, before anything is simulated."""
    fault = Fault(FaultKind.SENSOR_STUCK, 0.0, JANUARY_S, sensor)

    with pytest.raises(FaultSpellingError, match="no sensor"):
        simulate(make_homes(1, 1, naming=naming), JANUARY_S, 1.0, 60.0, 1, {0: fault})


def test_swapped_probes_show_each_other_from_the_onset() -> None:
    """Flow and return change places; every other reading stays as it was."""
    homes, onset_s = make_homes(1, 1), JANUARY_S + DAY_S / 2
    fault = Fault(FaultKind.SENSOR_SWAPPED, 0.0, onset_s, "temp_flow")
    (sound,) = simulate(homes, JANUARY_S, 1.0, 60.0, 1)
    (faulty,) = simulate(homes, JANUARY_S, 1.0, 60.0, 1, {0: fault})
    late = sound.timestamps_s >= onset_s
    spread = [one.columns["temp_flow"] - one.columns["temp_return"] for one in (sound, faulty)]

    assert np.array_equal(spread[0][~late], spread[1][~late])
    assert np.max(np.abs(spread[0][late] + spread[1][late])) < 2.0  # the probes' own errors stay
    for name in set(sound.columns) - {"temp_flow", "temp_return"}:
        assert np.array_equal(sound.columns[name], faulty.columns[name])


def test_only_neighbours_can_be_swapped() -> None:
    """A fitter may take flow for return, not the fan for the outdoor probe."""
    fault = Fault(FaultKind.SENSOR_SWAPPED, 0.0, JANUARY_S, "fan_speed")

    with pytest.raises(FaultSpellingError):
        simulate(make_homes(1, 1), JANUARY_S, 0.1, 60.0, 1, {0: fault})
