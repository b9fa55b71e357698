"""What a home gets: size of the payload, time to score a reading, the words of an alarm.

In: the release of the fleet part, one home with a fouled evaporator. Out: `HomeResult`. Guarantee:
scored by the client's own code, reading by reading, without numpy in the scorer.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from evaluate import recordings, store
from heatpool_contract.detector import decode
from heatpool_contract.explanation import sentence
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Score

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_trainer.readings import HomeSeries

SCENARIO: Final = "evaporator_fouling:0.5"
WORDS_MAX: Final = 3


class HomeResult(msgspec.Struct, frozen=True):
    """Figures and words."""

    payload_bytes: int
    compressed_bytes: int
    """Before sealing, which adds some hundred."""
    score_us_median: float
    """Of readings that were scored."""
    score_us_p99: float
    readings: int
    alarm_en: tuple[str, ...]
    alarm_de: tuple[str, ...]
    rarity_weeks: float | None


def evaluate(folder: Path, payload: bytes) -> HomeResult:
    """Run one faulty home through the client's scorer until it alarms."""
    scorer = Scorer(decode(payload))
    took: list[float] = []
    readings = 0
    first: Score | None = None
    for timestamp_ms, reading in _readings(_faulty(folder)):
        begin = time.perf_counter()
        verdict = scorer.observe(timestamp_ms, reading)
        elapsed = time.perf_counter() - begin
        readings += 1
        if isinstance(verdict, Score):
            took.append(1e6 * elapsed)
            if verdict.leading.over:
                first = verdict
                break
    parts = first.contributions[:WORDS_MAX] if first else ()
    where = first.circumstances if first else ()
    return HomeResult(
        payload_bytes=len(payload),
        compressed_bytes=len(zlib.compress(payload, 9)),
        score_us_median=float(np.median(took)),
        score_us_p99=float(np.quantile(took, 0.99)),
        readings=readings,
        alarm_en=tuple(sentence(part, where if i == 0 else ()) for i, part in enumerate(parts)),
        alarm_de=tuple(
            sentence(part, where if i == 0 else (), "de") for i, part in enumerate(parts)
        ),
        rarity_weeks=first.leading.rarity_weeks if first else None,
    )


def _faulty(folder: Path) -> HomeSeries:
    for number, block in enumerate(recordings.plays(recordings.WINTER)):
        for place, play in enumerate(block):
            if play.scenario.name == SCENARIO:
                path = recordings.block_file(folder, recordings.WINTER, number)
                return store.load_series(path)[place]
    raise SystemExit(f"nobody plays {SCENARIO}")


def _readings(series: HomeSeries) -> list[tuple[int, dict[str, float]]]:
    names = [*series.columns]
    rows = np.column_stack([series.columns[name] for name in names]).tolist()
    return [
        (int(timestamp_ms), dict(zip(names, row, strict=True)))
        for timestamp_ms, row in zip(series.timestamps_ms, rows, strict=True)
    ]
