"""`Telemetry` for asyncio: disk and network are waited for in threads.

async with AsyncTelemetry(Telemetry()) as telemetry:
    await telemetry.record({"temp_flow": 35.1})
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from heatpool_client.courier import Round
    from heatpool_client.telemetry import Telemetry


class AsyncTelemetry:
    """The same for asyncio: the disk is waited for in a thread."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Take over `telemetry`."""
        self._telemetry = telemetry

    async def record(self, reading: Mapping[str, object]) -> bool:
        """As `Telemetry.record`."""
        return await asyncio.to_thread(self._telemetry.record, reading)

    async def flush(self) -> Round | None:
        """As `Telemetry.flush`."""
        return await asyncio.to_thread(self._telemetry.flush)

    async def close(self) -> None:
        """As `Telemetry.close`."""
        await asyncio.to_thread(self._telemetry.close)

    async def __aenter__(self) -> Self:
        """Use as a context manager."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()
