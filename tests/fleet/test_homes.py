"""Homes: reproducible, independent of their number, as different as real ones."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatpool_contract.identity import installation_id, is_version, model_slug
from heatpool_fleet.homes import HOMES_MAX, HomeSpec, Naming, machines, make_homes


def as_json(home: HomeSpec) -> bytes:
    """A home as bytes, for comparison."""
    return msgspec.json.encode(home)


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 1), st.integers(1, 12), st.integers(1, 12))
def test_home_does_not_depend_on_how_many_there_are(seed: int, few: int, more: int) -> None:
    """Home i of a small fleet is home i of a large one."""
    small, large = make_homes(few, seed), make_homes(few + more, seed)

    assert [as_json(home) for home in small] == [as_json(home) for home in large[:few]]


def test_identities_are_legal_and_distinct() -> None:
    """Every home has its own canonical UUIDv4, a legal model name and a legal version."""
    homes = make_homes(200, 3, "AERO SLM 6-17", Naming.IDM)

    assert len({home.installation_id for home in homes}) == 200
    for home in homes:
        assert installation_id(home.installation_id) == home.installation_id
        assert home.installation_id[14] == "4"
        assert model_slug(home.model) == "aero_slm_6_17"
        assert is_version(home.version)
        assert home.naming is Naming.IDM


def test_other_seeds_make_other_homes() -> None:
    """Two seeds share neither identities nor walls."""
    one, other = make_homes(3, 1), make_homes(3, 2)

    assert all(a.installation_id != b.installation_id for a, b in zip(one, other, strict=True))
    assert all(as_json(a) != as_json(b) for a, b in zip(one, other, strict=True))


def test_homes_of_one_model_differ_as_much_as_in_the_field() -> None:
    """Efficiency scatters by 7 % and water flow by 20 %, so that no detector is flattered."""
    fleet = machines(make_homes(3_000, 4))

    assert 0.060 < np.log(fleet.carnot_share).std() < 0.075
    assert 0.175 < np.log(fleet.flow_l_per_h / fleet.rated_watts).std() < 0.215
    assert 0.53 < np.median(fleet.carnot_share) < 0.58


def test_larger_model_has_the_larger_machine() -> None:
    """The model's name decides the size; an unknown name gets the default's."""
    small, large, unknown = (
        machines(make_homes(40, 1, model)).rated_watts.mean()
        for model in ("AERO SLM 3-11", "AERO SLM 6-17", "Something Else")
    )

    assert large > 1.5 * small
    assert unknown == pytest.approx(8_000.0, rel=0.03)


@pytest.mark.parametrize("n", [0, -1, HOMES_MAX + 1])
def test_absurd_numbers_of_homes_are_refused(n: int) -> None:
    """Neither none nor a disk full."""
    with pytest.raises(ValueError, match="number of homes"):
        make_homes(n, 1)
