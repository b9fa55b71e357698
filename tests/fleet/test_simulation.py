"""Whole recordings: reproducible, independent of each other, physically sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from heatpool_fleet.faults import Fault, FaultKind
from heatpool_fleet.homes import HomeSpec, make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from heatpool_fleet.recording import Recording

JANUARY_S = 1_768_003_200.0
RHO_CP = 4_160.0 / 3_600.0  # W per l/h and kelvin


def equal(one: Recording, other: Recording, first: int | None = None) -> bool:
    """Whether two recordings hold the same numbers (in their first records)."""
    return list(one.columns) == list(other.columns) and all(
        np.array_equal(one.columns[name][:first], other.columns[name][:first])
        for name in one.columns
    )


def test_same_arguments_give_the_same_arrays(winter: list[Recording]) -> None:
    """A second run with the same seed is equal in every number; another seed is not."""
    again = simulate(make_homes(6, 7), JANUARY_S, 3.0, 60.0, 7)
    other = simulate(make_homes(6, 7), JANUARY_S, 3.0, 60.0, 8)

    assert all(equal(a, b) for a, b in zip(winter, again, strict=True))
    assert not any(equal(a, b) for a, b in zip(winter, other, strict=True))


@pytest.mark.parametrize("index", [0, 3, 5])
def test_home_does_not_depend_on_its_neighbours(winter: list[Recording], index: int) -> None:
    """A home simulated alone records what it recorded among others."""
    alone = simulate([make_homes(6, 7)[index]], JANUARY_S, 3.0, 60.0, 7)

    assert equal(alone[0], winter[index])


def test_blocks_do_not_show() -> None:
    """Homes beyond the first block of vectors are the same as alone."""
    homes = make_homes(34, 2)
    many = simulate(homes, JANUARY_S, 0.1, 60.0, 2)

    assert len(many) == 34
    assert equal(many[33], simulate([homes[33]], JANUARY_S, 0.1, 60.0, 2)[0])


def test_shorter_recording_is_the_beginning_of_a_longer(winter: list[Recording]) -> None:
    """One day equals the first of three."""
    day = simulate(make_homes(6, 7), JANUARY_S, 1.0, 60.0, 7)

    assert all(equal(a, b, 1_440) for a, b in zip(winter, day, strict=True))


@pytest.mark.parametrize("interval_s", [20.0, 300.0])
def test_interval_thins_records_out_and_keeps_the_times(interval_s: float) -> None:
    """Records are equally spaced from the start, at any interval."""
    recording = simulate(make_homes(1, 7), JANUARY_S, 0.25, interval_s, 7)[0]

    assert recording.timestamps_s[0] == JANUARY_S
    assert np.all(np.diff(recording.timestamps_s) == interval_s)
    assert recording.timestamps_s.size == 21_600 / interval_s


def test_coarse_records_are_every_fifth_fine_one(winter: list[Recording]) -> None:
    """The simulation runs in minutes whatever is recorded; codes carry no noise to compare them."""
    coarse = simulate(make_homes(6, 7), JANUARY_S, 3.0, 300.0, 7)

    for thin, full in zip(coarse, winter, strict=True):
        assert np.array_equal(thin.columns["status"], full.columns["status"][::5])
        assert np.array_equal(thin.columns["compressor_freq"], full.columns["compressor_freq"][::5])


def test_water_carries_the_heat_that_the_meter_counts(year: list[list[Recording]]) -> None:
    """Flow rate x heat capacity x spread equals the heat meter, within the sensors' errors."""
    for recordings in year:
        for recording in recordings:
            c = recording.columns
            running = c["compressor_freq"] > 0.0
            if running.sum() < 60:
                continue
            carried = RHO_CP * c["flow_rate"] * (c["temp_flow"] - c["temp_return"])
            ratio = carried[running].sum() / c["power_thermal"][running].sum()
            # Offsets of two probes, 0.2 K each, in a spread of 2 to 8 K; gains of two meters.
            assert 0.7 < ratio < 1.3


def test_perfect_sensors_close_the_balance(year: list[list[Recording]]) -> None:
    """Over the fleet the sensors' errors cancel: the mean balance closes within a few percent."""
    carried = metered = 0.0
    for recordings in year:
        for recording in recordings:
            c = recording.columns
            running = c["compressor_freq"] > 0.0
            spread = (c["temp_flow"] - c["temp_return"])[running]
            carried += float((RHO_CP * c["flow_rate"][running] * spread).sum())
            metered += float(c["power_thermal"][running].sum())

    assert carried / metered == pytest.approx(1.0, abs=0.04)


def test_readings_are_ordered_and_finite(year: list[list[Recording]]) -> None:
    """High pressure above low, flow above return while heating, COP below Carnot, no NaN."""
    for recording in (one for recordings in year for one in recordings):
        c = recording.columns
        assert all(np.isfinite(column).all() for column in c.values())
        assert np.all(c["pressure_high"] >= c["pressure_low"] - 0.3)
        heating = (c["status"] == 1) | (c["status"] == 4)
        # The first minutes after a start are not steady: meters and temperatures still run apart.
        steady = heating & np.roll(heating, 5)
        steady[:5] = False
        flow, outdoor = c["temp_flow"][steady], c["temp_outdoor"][steady]
        lift = np.maximum(flow - outdoor, 5.0)
        assert np.all(c["cop_current"][steady] < (flow + 273.15) / lift)
        assert np.mean((c["temp_flow"] - c["temp_return"])[steady] > 0.0) > 0.99


def test_statuses_mean_what_they_say(year: list[list[Recording]]) -> None:
    """Standby has no compressor, defrost takes heat from the house, cooling does not occur."""
    recordings = [one for stretch in year for one in stretch]
    status = np.concatenate([one.columns["status"] for one in recordings])
    hertz = np.concatenate([one.columns["compressor_freq"] for one in recordings])
    heat = np.concatenate([one.columns["power_thermal"] for one in recordings])
    outdoor = np.concatenate([one.columns["temp_outdoor"] for one in recordings])

    assert set(np.unique(status)) == {0.0, 1.0, 4.0, 8.0}
    assert np.all((hertz > 0.0) == (status > 0.0))
    assert np.all(heat[status == 8.0] < 0.0)
    assert np.all(outdoor[status == 8.0] < 8.0)
    assert np.all((hertz[status > 0.0] >= 20.0) & (hertz[status > 0.0] <= 100.0))


def test_homes_stay_warm_and_have_hot_water(winter: list[Recording]) -> None:
    """In winter the tank rarely falls below 30 degC and heating covers the house's losses."""
    for recording in winter:
        tank = recording.columns["temp_dhw"]
        loss = recording.home.building.loss_w_per_k
        needed = loss * (20.0 - recording.columns["temp_outdoor"].mean())

        assert np.mean(tank < 30.0) < 0.05
        assert 0.6 * needed < recording.columns["power_thermal"].mean() < 1.7 * needed


def test_deep_cold_calls_the_backup_heater_and_full_speed() -> None:
    """At -15 degC the machine runs without rest, fast, and the heater helps out."""
    cold = [msgspec.structs.replace(home, outdoor_offset_kelvin=-17.0) for home in make_homes(6, 7)]
    recordings = simulate(cold, JANUARY_S, 2.0, 60.0, 7)

    running = [one.columns["compressor_freq"] > 0.0 for one in recordings]
    extra = [
        float((one.columns["power_electric"] - one.columns["power_compressor"]).max())
        for one in recordings
    ]
    assert np.mean(running) > 0.95
    assert max(extra) > 1_500.0
    assert np.mean([one.columns["compressor_freq"].mean() for one in recordings]) > 60.0


def test_nothing_changes_before_the_onset(winter: list[Recording]) -> None:
    """A faulty home equals the healthy one until the fault begins, and its neighbours always."""
    fault = Fault(FaultKind.VALVE_LEAK, 0.4, JANUARY_S + 86_400.0)
    faulty = simulate(make_homes(6, 7), JANUARY_S, 3.0, 60.0, 7, {2: fault})

    assert equal(faulty[2], winter[2], 1_440)
    assert not equal(faulty[2], winter[2])
    assert all(equal(faulty[i], winter[i]) for i in (0, 1, 3, 4, 5))
    assert faulty[2].fault == fault


@pytest.mark.parametrize(
    ("days", "interval_s"), [(0.0, 60.0), (401.0, 60.0), (1.0, 0.5), (1.0, 1e6)]
)
def test_absurd_periods_are_refused(days: float, interval_s: float) -> None:
    """Neither nothing nor more than a year, in steps between a second and a day."""
    with pytest.raises(ValueError, match="days must be"):
        simulate(make_homes(1, 1), JANUARY_S, days, interval_s, 1)


def test_fault_needs_a_home_and_a_home_its_own_number() -> None:
    """A fault for a home that is not there, or two homes with one number, is an error."""
    homes: list[HomeSpec] = make_homes(2, 1)
    fault = Fault(FaultKind.VALVE_LEAK, 0.4, JANUARY_S)

    with pytest.raises(ValueError, match="home 2"):
        simulate(homes, JANUARY_S, 0.1, 60.0, 1, {2: fault})
    with pytest.raises(ValueError, match="same index"):
        simulate([homes[0], homes[0]], JANUARY_S, 0.1, 60.0, 1)
