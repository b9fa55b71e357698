"""Columns of anybody's table become legal, distinct fields."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.columns import Wish, field_name, fields, time_column
from heatpool_client.faults import ClientError, Fault
from heatpool_contract.telemetry import FIELD_NAME


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("temp_outside", "temp_outside"),
        ("Accelerometer1RMS", "Accelerometer1RMS"),
        ("Volume Flow RateRMS", "volume_flow_raterms"),
        ("AHU: Exhaust Air Damper Control Signal  ", "ahu_exhaust_air_damper_control_signal"),
        ("Außentemperatur [°C]", "aussentemperatur_c"),
        ("Kältemittelmenge", "kaeltemittelmenge"),
        ("2nd stage", "_2nd_stage"),
        ("été", "ete"),
        ("x" * 80, "x" * 64),
    ],
)
def test_names_are_tidied(column: str, field: str) -> None:
    """Legal names stay, others become readable."""
    assert field_name(column) == field


@given(st.text(max_size=100))
def test_every_name_becomes_legal_or_an_error(column: str) -> None:
    """No text of a header reaches the pool as an illegal name."""
    with suppress(ClientError):
        assert FIELD_NAME.fullmatch(field_name(column))


@given(
    st.lists(st.text(st.sampled_from("aA b°1_"), min_size=1, max_size=4), max_size=6),
    st.dictionaries(st.sampled_from(["a", "A", "b"]), st.sampled_from(["f", "g", "1x"])),
)
def test_no_two_columns_become_one_field(names: list[str], wanted: dict[str, str]) -> None:
    """Either every column has a legal field of its own, or it is an error."""
    try:
        chosen = fields(["time", *names], "time", Wish(fields=wanted))
    except ClientError as error:
        assert error.exit == 5  # noqa: PT017 - the other branch matters more
        return
    assert sorted(chosen) == sorted(names)
    assert len(set(chosen.values())) == len(names)
    assert all(FIELD_NAME.fullmatch(field) for field in chosen.values())
    assert "timestamp" not in chosen.values()


@pytest.mark.parametrize(
    ("names", "wish", "fault"),
    [
        (["time", "a b", "a-b"], Wish(), Fault.FIELD_CLASH),
        (["time", "a", "a"], Wish(), Fault.COLUMN_TWICE),
        (["time", "time", "a"], Wish(), Fault.COLUMN_TWICE),
        (["time", "timestamp"], Wish(time_column="time"), Fault.FIELD_CLASH),
        (["time", "a"], Wish(fields={"b": "c"}), Fault.COLUMN_MISSING),
        (["time", "a"], Wish(drop=frozenset({"b"})), Fault.COLUMN_MISSING),
        (["time", "a"], Wish(fields={"a": "1st"}), Fault.FIELD_NAME_INVALID),
        (["time", "温度"], Wish(), Fault.FIELD_NAME_INVALID),
        (["when", "a"], Wish(), Fault.TIME_COLUMN_MISSING),
        (["time", "a"], Wish(time_column="when"), Fault.COLUMN_MISSING),
    ],
)
def test_impossible_wishes_are_named(names: list[str], wish: Wish, fault: Fault) -> None:
    """Each mistake has its own code, and the text lists what there is."""
    with pytest.raises(ClientError) as caught:
        fields(names, time_column(names, wish), wish)
    assert caught.value.code is fault


def test_usual_wishes_may_point_to_missing_columns() -> None:
    """The configuration's mapping serves several files."""
    wish = Wish(usual_fields={"T": "temp", "P": "power"}, usual_drop=frozenset({"x", "y"}))
    assert fields(["time", "T", "x"], "time", wish) == {"T": "temp"}


@pytest.mark.parametrize("name", ["timestamp", "Datetime", "TIME", " ts ", "Zeit"])
def test_usual_time_columns_are_found(name: str) -> None:
    """Whatever their case."""
    assert time_column(["a", name, "b"], Wish()) == name


def test_the_most_telling_time_column_wins() -> None:
    """`timestamp` goes before `date`."""
    assert time_column(["date", "timestamp"], Wish()) == "timestamp"
