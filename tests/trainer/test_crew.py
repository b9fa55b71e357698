"""Hands of a training: the results do not tell how many there were."""

from __future__ import annotations

import os

import pytest

from heatpool_trainer.crew import Crew


def told(number: int) -> tuple[int, int]:
    """A result, and who worked on it."""
    return number * number, os.getpid()


@pytest.mark.parametrize("items", [0, 1, 2, 50])
@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes: int, items: int) -> None:
    """None, one or many, whoever works on them."""
    found = list(Crew(processes).each("stage", told, range(items)))

    assert [square for square, _who in found] == [number * number for number in range(items)]


def test_helpers_work_on_all_but_the_first_and_are_gone_after() -> None:
    """The first is worked on here, for what is compiled along the way."""
    found = list(Crew(2).each("stage", told, range(50)))

    helpers = {who for _square, who in found[1:]}
    assert found[0][1] == os.getpid()
    assert helpers
    assert os.getpid() not in helpers
    for helper in helpers:
        with pytest.raises(ProcessLookupError):
            os.kill(helper, 0)
