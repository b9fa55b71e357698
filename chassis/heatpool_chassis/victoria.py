"""VictoriaMetrics over HTTP, typed: import, export, query, delete, flush, health.

In: import lines and MetricsQL. Out: samples. Guarantee: raises `StoreUnavailableError` (try again)
or `StoreRejectedError` (this request will never work), never an error of the HTTP library.

Write, read and admin base URLs are three settings: in a cluster they are vminsert, vmselect and
vmselect's delete path, and a vmauth may stand before each. What has no equivalent below those
(flush, merge, a process' own metrics) goes to the processes themselves.
Source: docs.victoriametrics.com, "How to export/import time series", checked on 1.79.5.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx
import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

R = TypeVar("R")

GZIP_LEVEL: Final = 1  # a sixth of the size for a tenth of the time of level 6
TIMEOUT_S: Final = 30.0
EXPORT_LINE_BYTES_MAX: Final = (
    64 * 1024 * 1024
)  # one series of a window; far above a year of minutes
METRIC_AGE: Final = "vm_app_uptime_seconds"
_GZIP_WBITS: Final = 31
_STATUS_ERROR: Final = 400
_STATUS_REJECTED: Final = frozenset({400, 413, 422})
"""These condemn the request. Any other error (401 and 404 of a wrong set-up included) is ours
or the store's: data must wait for its repair, not be buried for it."""


class StoreError(Exception):
    """The store did not do what was asked."""


class StoreUnavailableError(StoreError):
    """Unreachable, overloaded or broken: the same request may work later."""


class StoreRejectedError(StoreError):
    """The store refuses this request."""


class Series(msgspec.Struct, frozen=True):
    """One line of an export: a series with its labels (`__name__` included), oldest first."""

    metric: dict[str, str]
    values: list[float | None]
    timestamps: list[int]
    """Milliseconds since 1970."""


class Line(msgspec.Struct, frozen=True):
    """A `Series` whose timestamps are not read yet: one home's series often have the same."""

    metric: dict[str, str]
    values: list[float | None]
    timestamps: msgspec.Raw


class Point(msgspec.Struct, frozen=True):
    """One series of an instant query."""

    metric: dict[str, str]
    value: tuple[float, str]


class RangeSeries(msgspec.Struct, frozen=True):
    """One series of a range query: (seconds, value as text) pairs."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class _InstantData(msgspec.Struct):
    result: list[Point]


class _Instant(msgspec.Struct):
    data: _InstantData


class _RangeData(msgspec.Struct):
    result: list[RangeSeries]


class _Range(msgspec.Struct):
    data: _RangeData


class _Names(msgspec.Struct):
    data: list[str]


_names_decoder = msgspec.json.Decoder(_Names)
_series_decoder = msgspec.json.Decoder(Series)
_line_decoder = msgspec.json.Decoder(Line)
_times_decoder = msgspec.json.Decoder(list[int])
_instant_decoder = msgspec.json.Decoder(_Instant)
_range_decoder = msgspec.json.Decoder(_Range)


class VictoriaUrls(msgspec.Struct, frozen=True):
    """Base URLs without trailing slash, before `/api/v1/...`."""

    write: str
    read: str
    admin: str
    storages: tuple[str, ...] = ()
    """Roots of the processes that hold samples: every vmstorage, or a single node that is written
    to below a prefix. None: `write` is the root of a single node."""
    inserts: tuple[str, ...] = ()
    """Roots of every vminsert: they count rows, too, and may lose some when they are killed."""

    @property
    def holders(self) -> tuple[str, ...]:
        """Who holds samples."""
        return self.storages or (self.write,)


class Victoria:
    """A connection pool to one store; use as async context manager."""

    def __init__(
        self, urls: VictoriaUrls, timeout_s: float = TIMEOUT_S, *, gzip_imports: bool = True
    ) -> None:
        self._urls = urls
        self._gzip_imports = gzip_imports
        self._http = httpx.AsyncClient(timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def close(self) -> None:
        """Close the connections, where no `async with` does."""
        await self._http.aclose()

    async def import_lines(self, lines: Sequence[bytes]) -> None:
        """Post import lines (JSON, one series a line).

        Returning means that the store holds them in memory; they survive its death only some
        seconds later (docs/decisions/0004).
        """
        body = b"\n".join(lines)
        await self._send(
            "POST",
            f"{self._urls.write}/api/v1/import",
            content=gzip(body) if self._gzip_imports else body,
            headers={"Content-Encoding": "gzip"} if self._gzip_imports else {},
        )

    async def export(self, selector: str, start_ms: int, end_ms: int) -> AsyncIterator[Series]:
        """Series of `selector` with their raw samples in [start, end], one by one, deduplicated."""
        async for line in self._export(selector, start_ms, end_ms):
            yield _decode(_series_decoder, line)

    async def export_lines(self, selector: str, start_ms: int, end_ms: int) -> AsyncIterator[Line]:
        """As `export`; see `times`."""
        async for line in self._export(selector, start_ms, end_ms):
            yield _decode(_line_decoder, line)

    async def _export(self, selector: str, start_ms: int, end_ms: int) -> AsyncIterator[bytes]:
        request = self._http.build_request(
            "GET",
            f"{self._urls.read}/api/v1/export",
            params={
                "match[]": selector,
                "start": f"{start_ms / 1000:.3f}",
                "end": f"{end_ms / 1000:.3f}",
            },
            # The store is near: compressed, an export takes both sides twice the time.
            headers={"Accept-Encoding": "identity"},
        )
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code >= _STATUS_ERROR:
                    await response.aread()
                _raise_for(response)
                async for line in _lines(response):
                    yield line
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise StoreUnavailableError(str(error)) from error

    async def export_native(self, selector: str) -> AsyncIterator[bytes]:
        """Everything that matches, of all time, in VictoriaMetrics' own format: for backups."""
        params = {"match[]": selector, "start": "0", "reduce_mem_usage": "1"}
        url = f"{self._urls.read}/api/v1/export/native"
        try:
            async with self._http.stream("GET", url, params=params) as response:
                if response.status_code >= _STATUS_ERROR:
                    await response.aread()
                _raise_for(response)
                async for part in response.aiter_bytes():
                    yield part
        except httpx.HTTPError as error:
            raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error

    async def import_native(self, parts: AsyncIterator[bytes]) -> None:
        """The reverse of `export_native`."""
        url = f"{self._urls.write}/api/v1/import/native"
        try:
            response = await self._http.post(url, content=parts)
        except httpx.HTTPError as error:
            raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error
        _raise_for(response)

    async def query(self, expression: str, at_s: float | None = None) -> list[Point]:
        """Instant query."""
        params = {"query": expression, "nocache": "1"}
        if at_s is not None:
            params["time"] = f"{at_s:.3f}"
        response = await self._send("GET", f"{self._urls.read}/api/v1/query", params=params)
        return _decode(_instant_decoder, response.content).data.result

    async def query_range(
        self,
        expression: str,
        start_s: float,
        end_s: float,
        step_s: float,
        *,
        cached: bool = True,
    ) -> list[RangeSeries]:
        """Range query on a grid of `step_s`; not `cached`: as the store has it now."""
        response = await self._send(
            "GET",
            f"{self._urls.read}/api/v1/query_range",
            params={
                "query": expression,
                "start": f"{start_s:.3f}",
                "end": f"{end_s:.3f}",
                "step": f"{step_s:.3f}",
                **({} if cached else {"nocache": "1"}),
            },
        )
        return _decode(_range_decoder, response.content).data.result

    async def names(self, selector: str, start_s: float, end_s: float) -> list[str]:
        """Names of the series that match."""
        response = await self._send(
            "GET",
            f"{self._urls.read}/api/v1/label/__name__/values",
            params={"match[]": selector, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}"},
        )
        return _decode(_names_decoder, response.content).data

    async def delete_series(self, selector: str) -> None:
        """Delete whole series. What was written in the last seconds may survive: repeat later."""
        await self._send(
            "POST",
            f"{self._urls.admin}/api/v1/admin/tsdb/delete_series",
            params={"match[]": selector},
        )

    async def force_flush(self) -> None:
        """Make what was written visible to queries now (it would take about a second)."""
        for root in self._urls.holders:
            await self._own(root, "/internal/force_flush")

    async def force_merge(self, month: str) -> None:
        """Start merging the partition `YYYY_MM`, which takes deleted samples off the disk."""
        for root in self._urls.holders:
            await self._own(root, "/internal/force_merge", {"partition_prefix": month})

    async def metrics(self) -> dict[str, float]:
        """The store's own metrics: name with labels -> value.

        Of several processes the sum, so that the start of any of them changes what tells the
        store's life; their age is that of the youngest.
        """
        found: dict[str, float] = {}
        for root in (*self._urls.holders, *self._urls.inserts):
            response = await self._own(root, "/metrics")
            for line in response.text.splitlines():
                name, _, text = line.rpartition(" ")
                if not name or line.startswith("#"):
                    continue
                value, before = float(text), found.get(name)
                if before is None:
                    found[name] = value
                else:
                    found[name] = min(before, value) if name == METRIC_AGE else before + value
        return found

    async def _own(
        self, root: str, path: str, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request to a process itself; one that does not know it is a wrong set-up."""
        try:
            return await self._send("GET", root + path, params=params)
        except StoreRejectedError as error:
            raise StoreUnavailableError(f"{path} is unknown there: {error}") from error

    async def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            response = await self._http.request(
                method, url, params=params, content=content, headers=headers
            )
        except httpx.HTTPError as error:
            raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error
        _raise_for(response)
        return response


def times(line: Line) -> list[int]:
    """Timestamps of a line, in milliseconds since 1970."""
    return _decode(_times_decoder, line.timestamps)


def gzip(body: bytes) -> bytes:
    """`body` as gzip of level 1, without a time in its header."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
    return packer.compress(body) + packer.flush()


def _raise_for(response: httpx.Response) -> None:
    status = response.status_code
    if status in _STATUS_REJECTED:
        raise StoreRejectedError(f"HTTP {status}: {response.text[:200]}")
    if status >= _STATUS_ERROR:
        raise StoreUnavailableError(f"HTTP {status}")


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Non-empty lines of the body; httpx' own `aiter_lines` decodes to text and splits slowly."""
    rest = b""
    async for part in response.aiter_bytes(1024 * 1024):
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > EXPORT_LINE_BYTES_MAX:
            raise StoreUnavailableError("a line of the export is too long")
        for line in lines:
            if line:
                yield line
    if rest:
        yield rest


def _decode(decoder: msgspec.json.Decoder[R], content: bytes | msgspec.Raw) -> R:
    try:
        return decoder.decode(content)
    except msgspec.DecodeError as error:
        raise StoreUnavailableError(f"unexpected answer: {error}") from error
