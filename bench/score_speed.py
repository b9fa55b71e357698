"""How long one reading takes through a detector of full size, without numpy.

In: nothing. Out: median, 99 % quantile and most, in microseconds
of CPU time (others' work does not count). The detector has 25 trees of height 8 in
one channel, which is what the trainer makes; every reading is scored, none is passed over. The
second has a small forest, and all channels beside it: an hour and a day end with some readings.
Run: `.venv/bin/python bench/score_speed.py`
"""

from __future__ import annotations

import sys
import time
from array import array
from pathlib import Path
from random import Random

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from simulators import small_detector
from simulators.small_detector import MINUTE_MS, START_MS
from simulators.tiny_detector import tiny
from simulators.watched_detector import watched

from heatpool_contract.detector import Detector, Forest, Structure
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Score

TREES, HEIGHT = 25, 8
READINGS = 5000
DAYS = 20


def full_size() -> Detector:
    """The smallest detector with a forest as large as a real one."""
    chance = Random(1)
    inner, nodes = 2**HEIGHT - 1, 2 ** (HEIGHT + 1) - 1
    small = tiny()
    structure = Structure(
        trees=TREES,
        height=HEIGHT,
        features=1,
        feature=bytes(TREES * inner),
        threshold=array("d", [chance.random() for _ in range(TREES * inner)]).tobytes(),
    )
    masses = array("I", [chance.randrange(100) for _ in range(TREES * nodes)])
    forest = Forest(structure=0, window_size=100, r_mass=masses.tobytes())
    (mode,) = small.modes
    channel = msgspec.structs.replace(mode.channels[0], forests=(forest,))
    mode = msgspec.structs.replace(mode, channels=(channel,))
    return msgspec.structs.replace(small, modes=(mode,), structures=(structure,))


def main() -> None:
    """Print the figures."""
    scorer, took = Scorer(full_size()), []
    for index in range(READINGS):
        reading = {"temp_flow": 30.0 + index % 40, "power": 1.0}
        start = time.thread_time()
        verdict = scorer.observe(60_000 * (index + 1), reading)
        took.append(time.thread_time() - start)
        if not isinstance(verdict, Score):
            raise SystemExit(f"not scored: {verdict.reason}")
    report(f"{READINGS} readings, {TREES} trees of height {HEIGHT}", took)
    scorer, took = Scorer(watched()), []
    for minute in range(DAYS * 1440):
        sent = small_detector.reading(minute) | {"temp_outdoor": 2.0}
        start = time.thread_time()
        scorer.observe(START_MS + minute * MINUTE_MS, sent)
        took.append(time.thread_time() - start)
    state = len(msgspec.json.encode(scorer.state))
    report(f"{DAYS} days with days, rules and wear beside, state of {state} bytes", took)


def report(what: str, took: list[float]) -> None:
    """One line."""
    took.sort()
    print(f"{what}, numpy loaded: {'numpy' in sys.modules}")
    middle, late, most = (took[k] * 1e6 for k in (len(took) // 2, len(took) * 99 // 100, -1))
    print(f"  median {middle:.0f} us, 99 % {late:.0f} us, most {most:.0f} us")


if __name__ == "__main__":
    main()
