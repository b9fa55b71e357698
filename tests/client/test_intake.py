"""One reading to one record: what is kept is what the edge keeps."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from simulators.publisher import NOW_S

from heatpool_client.config import Config
from heatpool_client.intake import Intake, number
from heatpool_client.version import BUILT_S


@given(st.dictionaries(st.text(max_size=5), st.one_of(
    st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans(), st.binary(max_size=3)
)))  # fmt: skip  # one strategy
def test_what_is_kept_is_what_the_edge_keeps(reading: dict[str, object]) -> None:
    """Finite numbers under legal names; the rest is counted value by value."""
    config = Config(
        server="https://pool.example",
        installation_id="3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c",
        model="AERO SLM",
    )
    taken = Intake(config).take(reading, float(BUILT_S), BUILT_S)
    if "timestamp" not in reading:
        present = [name for name, value in reading.items() if value is not None]
        assert len(taken.values) + len(taken.reasons) == max(len(present) + (not taken.values), 1)
    for value in taken.values.values():
        assert number(value) == value
        assert abs(value) <= 1e300
    assert msgspec.json.decode(taken.record)


def test_the_owners_names_apply(agreed: Config) -> None:
    """`columns` and `drop` of the configuration, and tidied names for the rest."""
    config = msgspec.structs.replace(agreed, columns={"B32": "temp_flow"}, drop=("secret",))
    taken = Intake(config).take({"B32": 1, "secret": 2, "Außen Temp": 3}, NOW_S, BUILT_S)
    assert taken.values == {"temp_flow": 1, "aussen_temp": 3}
