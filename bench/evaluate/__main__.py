"""`make evaluate`: run the parts that are asked for, then write the page of all that is there.

In: names of parts (none: all), real recordings in HEATPOOL_DATA or beside the checkout. Out: a
folder with `index.html`, PNGs, and one JSON a part. Guarantee: a part that has run is not run again
unless `--again`; a part without data, or not run yet, says so on the page.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evaluate import (
    ablation,
    at_home,
    fleet,
    fleet_baselines,
    lbnl,
    page,
    recordings,
    skab,
    store,
)
from heatpool_trainer.catalogue import load_catalogue
from heatpool_trainer.plan import TrainingPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

ROOT: Final = Path(__file__).parents[2]
DATA: Final = Path(os.environ.get("HEATPOOL_DATA", ROOT.parent / "shared" / "data"))
SIMULATED: Final = tuple(f"simulate-{period.name}" for period in recordings.PERIODS)
JUDGED: Final = tuple(f"fleet-{period.name}" for period in recordings.JUDGED)
PARTS: Final = (
    *SIMULATED, "train", *JUDGED, "alike", "home", "skab", "lbnl", "baselines", "ablation",
)  # fmt: skip


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, default=ROOT / ".evaluate")
    parser.add_argument("--again", action="store_true", help="run the parts even if they have run")
    options = parser.parse_args()
    chosen = options.parts or [*PARTS]
    if unknown := set(chosen) - {*PARTS, "fleet", "page"}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if "fleet" in chosen:
        chosen = [*SIMULATED, "train", *JUDGED, "alike", "home", *chosen]
    for part in PARTS:
        if part in chosen:
            begin = time.monotonic()
            ran = _run(part, options.out, again=options.again)
            took = f"{time.monotonic() - begin:.0f} s" if ran else "there already, or no data"
            print(f"{part}: {took}", flush=True)
    print(page.write(options.out))


def _run(part: str, out: Path, *, again: bool) -> bool:
    """Whether there was anything to do."""
    folder, path = out / "recordings", page.result_file(out, part)
    if part in SIMULATED:
        recordings.simulate_period(folder, _period(part))
        return True
    if path.exists() and not again:
        return False
    result = _measured(part, out, folder)
    if result is not None:
        store.save_result(path, result)
    return result is not None


def _measured(part: str, out: Path, folder: Path) -> msgspec.Struct | None:
    payload = out / "parts" / "release.msgpack"
    if part == "train":
        found = fleet.train(folder, load_catalogue(), TrainingPlan(model=fleet.MODEL), None)
        store.write_bytes(payload, found.payload)
        return found.report
    if part in JUDGED:
        return fleet.judge(folder, part, payload.read_bytes(), (_period(part),))
    simple: dict[str, Callable[[], msgspec.Struct | None]] = {
        "alike": lambda: _alike(folder),
        "home": lambda: at_home.evaluate(folder, payload.read_bytes()),
        "ablation": lambda: ablation.evaluate(folder, lambda title: _variant(out, title)),
        "baselines": lambda: fleet_baselines.evaluate(folder),
        "skab": lambda: skab.evaluate(DATA, out / "parts" / "skab"),
        "lbnl": lambda: lbnl.evaluate(DATA),
    }
    return simple[part]()


def _alike(folder: Path) -> fleet.FleetResult:
    """Trained in one weather, judged like the others."""
    homes = store.Files([recordings.healthy_file(folder, recordings.ALIKE)])
    found = fleet.train(folder, load_catalogue(), TrainingPlan(model=fleet.MODEL), homes)
    reported = (recordings.WINTER, recordings.SPRING)
    return fleet.judge(folder, "fleet-alike", found.payload, reported)


def _period(part: str) -> recordings.Period:
    return next(one for one in recordings.PERIODS if one.name == part.partition("-")[2])


def _variant(out: Path, title: str) -> Path:
    return page.result_file(out, f"variants/{page.variant_name(title)}")


if __name__ == "__main__":
    main()
