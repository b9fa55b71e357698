"""Scoring as readings come: over restarts, over releases, in words; and alone at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.publisher import NOW_S, release
from simulators.tiny_detector import HOT, USUAL, payload

from heatpool_client.explaining import explained
from heatpool_client.faults import ClientError, Fault
from heatpool_client.local import WINDOW, LocalDetector
from heatpool_client.watching import SAVE_EVERY_S, Detector
from heatpool_contract.verdict import NotScored, Reason, Score

if TYPE_CHECKING:
    from simulators.faketime import FakeTime
    from simulators.hub import Hub

    from heatpool_client.pool import Pool


@pytest.fixture
def detector(pool: Pool, hub: Hub) -> Detector:
    """The pool's detector, opened."""
    hub.release = release(payload())
    pool.update()
    return Detector(pool)


def test_without_a_model_there_is_nothing_to_score_with(pool: Pool) -> None:
    """`no_model`, as on the command line."""
    with pytest.raises(ClientError) as caught:
        Detector(pool)
    assert caught.value.code is Fault.NO_MODEL


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_unusual_reading_is_explained(detector: Detector, language: str) -> None:
    """Feature, expectation and the usual range, in both languages."""
    usual = detector.score({"temp_flow": USUAL, "name": "x"}, NOW_S)
    assert isinstance(usual, Score)
    assert explained(usual, "en") == []
    hot = detector.score({"temp_flow": HOT}, NOW_S + 60)
    assert isinstance(hot, Score)
    (words,) = explained(hot, "de" if language == "de" else "en")
    if language == "de":
        assert "Vorlauftemperatur 90,0 °C, 30,0 K über" in words
        assert "in der Flotte üblich: 30,0 – 50,0 °C" in words  # noqa: RUF001 - a range
    else:
        assert "flow temperature 90.0 °C, 30.0 K above" in words
        assert "usual in the fleet: 30.0 – 50.0 °C" in words  # noqa: RUF001 - a range


def test_a_restart_goes_on(detector: Detector, pool: Pool) -> None:
    """What was remembered still counts: the same moment again is out of order."""
    detector.score({"temp_flow": USUAL}, NOW_S)
    detector.save()
    assert Detector(pool).score({"temp_flow": USUAL}, NOW_S) == NotScored(Reason.OUT_OF_ORDER)


def test_it_is_saved_now_and_then(detector: Detector, pool: Pool, fake_time: FakeTime) -> None:
    """Not with each reading."""
    detector.score({"temp_flow": USUAL}, NOW_S)
    path = pool.home.root / "scorer.json"
    assert not path.exists()
    fake_time.now_s += SAVE_EVERY_S
    detector.score({"temp_flow": USUAL}, NOW_S + 60)
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b'{"model_hash":"x","state":{"modes":[]}}'])
def test_a_damaged_memory_costs_the_warm_up(detector: Detector, pool: Pool, content: bytes) -> None:
    """It starts anew."""
    detector.score({"temp_flow": USUAL}, NOW_S)
    detector.save()
    (pool.home.root / "scorer.json").write_bytes(content)
    assert isinstance(Detector(pool).score({"temp_flow": USUAL}, NOW_S), Score)


def test_a_newer_release_takes_over(detector: Detector, pool: Pool, hub: Hub) -> None:
    """When it was opened, and not before."""
    assert not detector.refresh()
    hub.release = release(payload(), seq=8)
    pool.update()
    assert detector.refresh()
    assert detector.active.entry.seq == 8


def test_the_own_detector_finds_what_never_was() -> None:
    """After two windows; readings without the fields are passed over; nothing is raised."""
    own = LocalDetector(["temp_flow", "power"])
    assert own.score({"temp_flow": 1.0}) is None
    verdicts = [
        own.score({"temp_flow": 35.0 + i % 7, "power": 1000.0 + 50 * (i % 11)})
        for i in range(4 * WINDOW)
    ]
    strange = own.score({"temp_flow": 35.5, "power": 2500.0})
    assert strange is not None
    assert verdicts[WINDOW] is not None
    assert verdicts[WINDOW].threshold is None
    assert strange.unusual
    assert sum(one.unusual for one in verdicts if one) < 2 * WINDOW * 0.05
