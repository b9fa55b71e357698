"""How long one reading takes through a detector of full size, without numpy.

In: nothing. Out: median and 99 % quantile in microseconds. The detector has 25 trees of height 8 in
one channel, which is what the trainer makes; every reading is scored, none is passed over.
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

from simulators.tiny_detector import tiny

from heatpool_contract.detector import Detector, Forest, Structure
from heatpool_contract.scoring import Scorer
from heatpool_contract.verdict import Score

TREES, HEIGHT = 25, 8
READINGS = 5000


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
        start = time.perf_counter()
        verdict = scorer.observe(60_000 * (index + 1), reading)
        took.append(time.perf_counter() - start)
        if not isinstance(verdict, Score):
            raise SystemExit(f"not scored: {verdict.reason}")
    took.sort()
    print(f"{READINGS} readings, {TREES} trees of height {HEIGHT}, numpy loaded: "
          f"{'numpy' in sys.modules}")  # fmt: skip  # two halves of a line
    print(f"median {took[len(took) // 2] * 1e6:.0f} us, "
          f"99 % {took[len(took) * 99 // 100] * 1e6:.0f} us")  # fmt: skip  # as above


if __name__ == "__main__":
    main()
