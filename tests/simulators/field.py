"""The fleet's year in small beside monitored heat pumps: `python tests/simulators/field.py`.

In: the field's quantiles (HEATPOOL_DATA, or beside the repository). Out: yearly figures per home, a
table. Used by `tests/fleet`.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from heatpool_fleet.homes import make_homes
from heatpool_fleet.simulation import simulate

if TYPE_CHECKING:
    from heatpool_fleet.chance import Floats
    from heatpool_fleet.recording import Recording

ROOT = Path(__file__).parent.parent.parent
FIELD_FILE = "heatpumps/field_performance_365d_2026-07.csv"
HOMES = 64
DAYS = 2.0


class Quantiles(NamedTuple):
    """Quantiles of one quantity over the monitored homes."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


def field_quantiles() -> dict[str, Quantiles] | None:
    """Field quantiles over all monitored homes, by quantity; None where the data are missing."""
    folder = Path(os.environ.get("HEATPOOL_DATA", ROOT.parent / "shared" / "data"))
    path = folder / FIELD_FILE
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["group"] == "ALL"]
    return {
        row["quantity"]: Quantiles(*(float(row[name]) for name in Quantiles._fields))
        for row in rows
    }


def small_year(number: int = HOMES, days: float = DAYS) -> list[list[Recording]]:
    """Some days of each month, each month under a weather of its own."""
    homes = make_homes(number, 1)
    january_s, month_s = 1_768_003_200.0, 30.4 * 86_400.0
    return [simulate(homes, january_s + month_s * month, days, 60.0, month) for month in range(12)]


def column(year: list[list[Recording]], name: str) -> Floats:
    """A column of the whole year, shape (homes, records)."""
    return np.array(
        [
            np.concatenate([month[home].columns[name] for month in year])
            for home in range(len(year[0]))
        ]
    )


def quantities(year: list[list[Recording]]) -> dict[str, Floats]:
    """Each home's yearly figures, by the field file's names, each of shape (homes,)."""
    heat, power = column(year, "power_thermal"), column(year, "power_electric")
    flow, outdoor = column(year, "temp_flow"), column(year, "temp_outdoor")
    status, running = column(year, "status"), column(year, "compressor_freq") > 0.0
    space, water = status == 1.0, status == 4.0
    # Published share of Carnot: between flow + 2 K and outdoor - 6 K.
    ideal = (flow + 2.0 + 273.15) / np.maximum(flow - outdoor + 8.0, 10.0)
    heating = running & (heat > 0.0)
    hours = running.sum(axis=1)
    starts = np.count_nonzero(running[:, 1:] & ~running[:, :-1], axis=1)

    def ratio(over: Floats, under: Floats) -> Floats:
        return np.asarray(over.sum(axis=1) / under.sum(axis=1))

    return {
        "combined_cop": ratio(heat, power),
        "space_cop": ratio(heat * space, power * space),
        "water_cop": ratio(heat * water, power * water),
        "running_prc_carnot": 100.0 * ratio(heat / ideal * heating, power * heating),
        "combined_starts_per_hour": starts / (running.shape[1] / 60.0),
        "running_flowT_mean": (flow * running).sum(axis=1) / hours,
        "running_heat_mean": (heat * running).sum(axis=1) / hours,
    }


def main() -> None:
    """One line per quantity: the fleet's, then the field's, at 5, 25, 50, 75 and 95 %."""
    known = field_quantiles() or {}
    for name, values in quantities(small_year()).items():
        ours = " ".join(f"{value:7.2f}" for value in np.percentile(values, (5, 25, 50, 75, 95)))
        theirs = " ".join(f"{value:7.2f}" for value in known.get(name, ()))
        print(f"{name:25s} fleet {ours}  field {theirs}")  # noqa: T201 - its purpose


if __name__ == "__main__":
    main()
