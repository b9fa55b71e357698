"""A hub whose pool has grown for weeks: real rollups of real samples, day after day.

Two models, one of them with fewer homes than may be named; both have a release.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

import msgspec
from nats.js.errors import KeyNotFoundError
from simulators import publisher as pub
from simulators.running_hub import RunningHub, contributor, name_of, settings

from heatpool_contract import census
from heatpool_contract.census import CENSUS_KEY
from heatpool_contract.registry import DAY_MS
from heatpool_contract.subjects import KV_COMMUNITY
from heatpool_modelhub.census import EMPTY, next_census
from heatpool_modelhub.eligibility import Pool
from heatpool_modelhub.rollup import RollupJob
from heatpool_modelhub.statistics import Rules

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.identity import InstallationId

HOMES: Final = 24
RARE_HOMES: Final = 14
RARE: Final = "rarissima_1"
K: Final = 15
DAYS_BEFORE: Final = 60
STEP_MIN: Final = 5
_MINUTES: Final = 1440


def home(number: int) -> InstallationId:
    """One of the homes."""
    return f"00000000-0000-4000-8000-{number:012d}"  # type: ignore[return-value]  # a literal id


async def filled_pool(bus: Client, life: Lifecycle, store: Victoria) -> RunningHub:
    """A hub that has made its rollup; who calls it stops it."""
    now_ms = pub.NOW_S * 1000
    hub = RunningHub(bus, life, settings(identity="prefer"), store)
    await hub.start()
    for number in range(HOMES + RARE_HOMES):
        model = pub.MODEL if number < HOMES else RARE
        entry = contributor(model=model, samples=1_234_567 + number, last_ms=now_ms - 600_000)
        await hub.enter(home(number), entry)
    await hub.publish(pub.release())
    day = (now_ms - 6 * 3_600_000) // DAY_MS - 1
    await _grow(bus, day)
    lines = [line for number in range(HOMES) for line in _day_of(number, pub.MODEL, day)]
    rare = range(HOMES, HOMES + RARE_HOMES)
    lines += [line for number in rare for line in _day_of(number, RARE, day)]
    await store.import_lines(lines)
    await store.force_flush()
    job = RollupJob(bus, store, hub.parts.registry, Rules(K), "me", hub.log)
    assert await job.look(now_ms) == day
    await hub.until(lambda: f"{pub.MODEL}.1d.cop" in hub.parts.community._snapshots)
    return hub


async def _grow(bus: Client, day: int) -> None:
    """The days before, through the same function that the rollup calls."""
    bucket = await bus.jetstream().key_value(KV_COMMUNITY)
    known = EMPTY
    for before in range(DAYS_BEFORE, 0, -1):
        share = 1 - before / (DAYS_BEFORE + 5)
        counts = {pub.MODEL: math.ceil(HOMES * share), RARE: math.ceil(RARE_HOMES * share)}
        pools = {
            model: Pool(count, round(1_200_000 * count * share)) for model, count in counts.items()
        }
        known = next_census(known, day - before, pools, Rules(K))
    try:
        await bucket.get(CENSUS_KEY)
    except KeyNotFoundError:
        await bucket.put(CENSUS_KEY, census.encode(known))


def _day_of(number: int, model: str, day: int) -> list[bytes]:
    """Import lines of one home: a winter's day, heating half of the time."""
    drawn = random.Random(number)
    cop, flow = drawn.gauss(3.9, 0.4), drawn.gauss(36, 2.5)
    power, place = drawn.gauss(1800, 350), drawn.gauss(3, 2)
    minutes = range(0, _MINUTES, STEP_MIN)
    runs = [minute % 120 < 70 for minute in minutes]
    outdoor = [place + 4 * math.sin(2 * math.pi * (minute - 540) / _MINUTES) for minute in minutes]
    draw = [power if run else 12.0 for run in runs]
    series = {
        "power_electric": draw,
        "power_thermal": [power * cop if run else 0.0 for run in runs],
        "temp_flow": [flow + (2.0 if run else -3.0) for run in runs],
        "temp_return": [flow - 5.0] * len(runs),
        "temp_outdoor": outdoor,
        "compressor_freq": [45.0 + drawn.random() * 20 if run else 0.0 for run in runs],
    }
    stamps = [day * DAY_MS + minute * 60_000 for minute in minutes]
    labels = {"installation": name_of(home(number)), "model": model}
    return [
        msgspec.json.encode(
            {
                "metric": {"__name__": f"heatpump_{field}", **labels},
                "values": values,
                "timestamps": stamps,
            }
        )
        for field, values in series.items()
    ]
