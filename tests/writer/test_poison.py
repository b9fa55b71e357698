"""The breaker: a bad message is buried, a defect of ours stops the writer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heatpool_writer.poison import IN_A_ROW_MAX, RATIO_MAX, RATIO_MESSAGES_MIN, Breaker


def test_a_run_of_one_model_opens_it_and_names_the_model() -> None:
    """The message that opens it is not buried, nor is any after it."""
    breaker = Breaker()
    breaker.fine("good")

    buried = [breaker.poisoned("bad") for _ in range(IN_A_ROW_MAX + 3)]

    assert buried == [True] * IN_A_ROW_MAX + [False] * 3
    assert breaker.open_because == "bad"


def test_good_messages_of_the_same_model_end_a_run_those_of_others_do_not() -> None:
    """A firmware that mostly works is no defect of ours."""
    breaker = Breaker()
    for _ in range(IN_A_ROW_MAX * 2):
        assert breaker.poisoned("half_good")
        breaker.fine("half_good")
    for _ in range(IN_A_ROW_MAX):
        assert breaker.poisoned("bad")
        breaker.fine("good")

    assert not breaker.poisoned("bad")


def test_a_tenth_of_all_opens_it_whoever_sends_it() -> None:
    """Scattered over models none of which has a run."""
    breaker = Breaker()
    for _ in range(RATIO_MESSAGES_MIN):
        breaker.fine("good")
    buried = 0
    while breaker.poisoned(f"model_{buried}"):
        buried += 1

    assert breaker.open_because == "all"
    assert buried <= (RATIO_MESSAGES_MIN + buried + 1) * RATIO_MAX


@given(st.lists(st.integers(0, 3)))
def test_it_never_opens_for_less_than_a_run(models: list[int]) -> None:
    """A handful of bad messages at the start is not a ratio."""
    breaker = Breaker()
    taken = [breaker.poisoned(f"m{model}") for model in models[:IN_A_ROW_MAX]]

    assert all(taken)
