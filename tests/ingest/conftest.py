"""Fixtures of the edge's tests; the edge itself is in tests/edge.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edge import RunningEdge, running_edge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from servers import NatsServer


@pytest.fixture
async def edge(nats_server: NatsServer) -> AsyncIterator[RunningEdge]:
    """An edge with ordinary settings that prepares everything on its loop."""
    async with running_edge(nats_server) as running:
        yield running
