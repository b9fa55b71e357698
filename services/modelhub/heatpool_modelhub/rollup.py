"""Once a day: raw samples -> one value a home and day -> statistics over homes.

In: VictoriaMetrics, KV COMMUNITY (the lease and the last snapshots). Out: series
`heatpool_daily_<metric>{installation, model}`, snapshots, the census. Guarantee: a day is computed
once, by the hub that holds the lease; a home that was erased meanwhile is left out; a request reads
snapshots and daily values alone, so its cost does not grow with the samples.

Energy is power over bins of 5 minutes in which both heat and electricity were sent and electricity
is above the least power of a running machine: a gap adds to neither, standby makes no COP.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final

import msgspec
import nats.errors
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from heatpool_chassis import buckets
from heatpool_chassis.victoria import StoreError
from heatpool_contract import census, community
from heatpool_contract.census import CENSUS_KEY
from heatpool_contract.community import COP, ELECTRICITY, HEAT, METRICS, WINDOW_DAYS, Rollup
from heatpool_contract.registry import DAY_MS
from heatpool_contract.subjects import KV_COMMUNITY
from heatpool_modelhub.census import EMPTY, next_census
from heatpool_modelhub.statistics import next_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.js.kv import KeyValue
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.identity import Pseudonym
    from heatpool_modelhub.registry import Registry
    from heatpool_modelhub.statistics import Rules

ROUND_S: Final = 300.0
LEASE_MS: Final = 3_600_000  # longer than any run; a hub that died is followed after an hour
SETTLE_MS: Final = 6 * 3_600_000  # loggers that were offline have so long to deliver a day
BIN: Final = "5m"
BIN_HOURS: Final = 1 / 12
WATTS_MIN: Final = (
    300.0  # below it no compressor runs (catalogue: cop_current is valid from 0.3 kW)
)
WATTS_PEAK: Final = 100.0  # a machine's peak above it was sent in W, else in kW
PART_HOMES_MAX: Final = 2500
"""Homes of one query, up to 40,000 of a model: requests to this hub wait while an answer is read,
and each query costs the store some time of its own."""
DAILY: Final = "heatpool_daily_"
_HEX: Final = "0123456789abcdef"
_KILO: Final = 1000.0

Values = dict[str, float]
"""One of each home."""


class RollupJob:
    """The job of one hub."""

    def __init__(
        self,
        client: Client,
        store: Victoria,
        registry: Registry,
        rules: Rules,
        owner: str,
        log: BoundLogger,
    ) -> None:
        self._client = client
        self._store = store
        self._registry = registry
        self._rules = rules
        self._owner = owner
        self._log = log

    async def run(self, life: Lifecycle, clock: Callable[[], float]) -> None:
        """Until the process stops."""
        while not await life.stopped_within(ROUND_S):
            try:
                await self.look(int(clock() * 1000))
            except (nats.errors.Error, TimeoutError, StoreError) as error:
                self._log.warning("rollup_delayed", reason=type(error).__name__)

    async def look(self, now_ms: int) -> int | None:
        """Compute the last complete day, unless that is done or another hub does it; the day."""
        if not self._registry.is_loaded:
            return None  # no sums yet
        day = (now_ms - SETTLE_MS) // DAY_MS - 1
        bucket = buckets.bound(self._client.jetstream(), KV_COMMUNITY)
        try:
            found = await bucket.get(community.ROLLUP_KEY)
            known, revision = community.decode_rollup(found.value or b""), found.revision or 0
        except KeyNotFoundError:
            known, revision = Rollup(owner="", until_ms=0, day=day - 1), 0
        if known.day >= day or (known.until_ms > now_ms and known.owner != self._owner):
            return None
        lease = Rollup(owner=self._owner, until_ms=now_ms + LEASE_MS, day=known.day)
        try:
            revision = await bucket.update(
                community.ROLLUP_KEY, community.encode(lease), last=revision
            )
        except KeyWrongLastSequenceError:
            return None  # another hub was faster
        await self._count(bucket, day)  # first: it needs no store
        for model in sorted(self._registry.pools()):
            await self._model(bucket, model, day)
        done = msgspec.structs.replace(lease, until_ms=0, day=day)
        await bucket.update(community.ROLLUP_KEY, community.encode(done), last=revision)
        self._log.info("rolled_up", day=day)
        return day

    async def _count(self, bucket: KeyValue, day: int) -> None:
        try:
            last = census.decode((await bucket.get(CENSUS_KEY)).value or b"")
        except (KeyNotFoundError, census.MalformedCensusError):
            last = EMPTY
        fresh = next_census(last, day, self._registry.pools(), self._rules)
        if fresh != last:
            await bucket.put(CENSUS_KEY, census.encode(fresh))

    async def _model(self, bucket: KeyValue, model: str, day: int) -> None:
        end_s = (day + 1) * DAY_MS // 1000
        some = parts(model, self._registry.pool(model).installations)
        for labels in some:
            heat, electricity = await self._energy(labels, end_s)
            for metric in METRICS:
                if metric == HEAT:
                    values = heat
                elif metric == ELECTRICITY:
                    values = electricity
                else:
                    values = await self._means(labels, metric, end_s)
                await self._write(model, metric, values, end_s)
        await self._store.force_flush()
        for window, days in WINDOW_DAYS.items():
            windowed: dict[str, Values] = {name: {} for name in METRICS}
            for name, labels in product(METRICS, some):
                windowed[name] |= await self._window(labels, name, days, end_s)
            windowed[COP] |= cops(windowed[HEAT], windowed[ELECTRICITY])
            for metric, values in windowed.items():
                await self._publish(bucket, (model, window, metric), values, day)

    async def _means(self, labels: str, metric: str, end_s: int) -> Values:
        """Mean over the bins of the day, by home; values out of range count as not sent."""
        rule = METRICS[metric]
        values: Values = {}
        for field in reversed(rule.fields):  # the first name wins
            series = f"heatpump_{field}{{{labels}}}"
            bins = f"avg_over_time({series}[{BIN}]) >= {rule.low} <= {rule.high}"
            values |= await self._query(f"avg_over_time(({bins})[1d:{BIN}])", end_s)
        return values

    async def _energy(self, labels: str, end_s: int) -> tuple[Values, Values]:
        """Heat and electricity of the day in kWh, by home."""
        heat: Values = {}
        electricity: Values = {}
        pairs = list(zip(METRICS[HEAT].fields, METRICS[ELECTRICITY].fields, strict=True))
        for warm, power in reversed(pairs):
            warm_bin = f"avg_over_time(heatpump_{warm}{{{labels}}}[{BIN}])"
            power_bin = f"avg_over_time(heatpump_{power}{{{labels}}}[{BIN}])"
            peaks = await self._query(f"max_over_time(({power_bin})[1d:{BIN}])", end_s)
            for least in (WATTS_MIN, WATTS_MIN / _KILO):
                runs = f"({power_bin} > {least})"
                both = await self._query(
                    f"sum_over_time(({warm_bin} and on(installation) {runs})[1d:{BIN}])", end_s
                )
                drawn = await self._query(
                    f"sum_over_time(({runs} and on(installation) {warm_bin})[1d:{BIN}])", end_s
                )
                in_watts = least == WATTS_MIN
                factor = BIN_HOURS / (_KILO if in_watts else 1.0)
                for home in both.keys() & drawn.keys():
                    if (peaks.get(home, 0.0) > WATTS_PEAK) is in_watts:
                        heat[home] = both[home] * factor
                        electricity[home] = drawn[home] * factor
        return heat, electricity

    async def _window(self, labels: str, metric: str, days: int, end_s: int) -> Values:
        """Mean of the daily values of homes that have at least half of the days."""
        series = f"{DAILY}{metric}{{{labels}}}[{days}d]"
        enough = f"(count_over_time({series}) >= {(days + 1) // 2})"
        return await self._query(f"avg_over_time({series}) and on(installation) {enough}", end_s)

    async def _write(self, model: str, metric: str, values: Values, end_s: int) -> None:
        name, stamps = f"{DAILY}{metric}", [end_s * 1000 - 1]
        lines = [
            msgspec.json.encode(
                {
                    "metric": {"__name__": name, "installation": home, "model": model},
                    "values": [value],
                    "timestamps": stamps,
                }
            )
            for home, value in values.items()
            if self._takes_part(home)
        ]
        if lines:
            await self._store.import_lines(lines)

    async def _publish(
        self, bucket: KeyValue, name: tuple[str, str, str], values: Values, day: int
    ) -> None:
        model, window, metric = name
        key = community.snapshot_key(model, window, metric)
        try:
            last = community.decode((await bucket.get(key)).value or b"")
        except (KeyNotFoundError, community.MalformedSnapshotError):
            last = None
        homes = {home: value for home, value in values.items() if self._takes_part(home)}
        fresh = community.Snapshot(model=model, window=window, metric=metric, day=day, stats=None)
        # In a thread: 10,000 homes are sorted and hashed, and requests wait for no statistics.
        following = await asyncio.to_thread(next_snapshot, last, fresh, homes, self._rules)
        if following is not last and not (last is None and following.stats is None):
            await bucket.put(key, community.encode(following))

    def _takes_part(self, home: str) -> bool:
        entry = self._registry.find(_pseudonym(home))
        return entry is not None and not entry.erased

    async def _query(self, expression: str, end_s: int) -> Values:
        points = await self._store.query(f"max({expression}) by (installation)", end_s - 0.001)
        return {point.metric.get("installation", ""): float(point.value[1]) for point in points}


def parts(model: str, homes: int) -> list[str]:
    """Label filters that divide the homes of a model (slug) by the first digit of their names."""
    if homes <= PART_HOMES_MAX:
        return [f'model="{model}"']
    count = min(len(_HEX), -(-homes // PART_HOMES_MAX))
    cuts = [len(_HEX) * number // count for number in range(count + 1)]
    classes = [_HEX[start:stop] for start, stop in pairwise(cuts)]
    return [f'model="{model}",installation=~"[{digits}].*"' for digits in classes]


def cops(heat: Values, electricity: Values) -> Values:
    """Heat over electricity of homes that have both."""
    rule = METRICS[COP]
    found = {
        home: heat[home] / electricity[home]
        for home in heat.keys() & electricity.keys()
        if electricity[home] > 0
    }
    return {home: value for home, value in found.items() if rule.low <= value <= rule.high}


def own_cop(model: str, home: Pseudonym, days: int) -> tuple[str, str, str]:
    """Queries for one home's heat, electricity and mean COP; all three read daily values."""
    labels = f'{{installation="{home}",model="{model}"}}[{days + 1}d]'
    return (
        f"sum_over_time({DAILY}{HEAT}{labels})",
        f"sum_over_time({DAILY}{ELECTRICITY}{labels})",
        f"avg_over_time({DAILY}{COP}{labels})",
    )


def _pseudonym(home: str) -> Pseudonym:
    return home  # type: ignore[return-value]  # a label that the writer wrote from one
