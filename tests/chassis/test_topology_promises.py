"""Streams keep personal data no longer than the privacy notice says."""

from __future__ import annotations

from heatpool_chassis.topology import Sizes, topology
from heatpool_contract import subjects

HOUR_S = 3600.0


def test_streams_forget_when_the_notice_says() -> None:
    """Telemetry after 72 hours, dead letters after 30 days; no mirror keeps a copy."""
    streams = {one.name: one for one in topology(Sizes()).streams}

    assert streams[subjects.STREAM_TELEMETRY].max_age == 72 * HOUR_S
    assert streams[subjects.STREAM_DEADLETTER].max_age == 30 * 24 * HOUR_S
    assert all(one.mirror is None and not one.sources for one in streams.values())
