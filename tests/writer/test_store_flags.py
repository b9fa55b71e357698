"""The store's flags, as it shows them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_writer.store_flags import faults

if TYPE_CHECKING:
    from heatpool_chassis.victoria import Victoria


async def test_a_store_with_the_flags_of_production_is_fine(victoria: Victoria) -> None:
    """What the tests run on is checked like any other."""
    metrics = await victoria.metrics()

    assert any('flag{name="retentionPeriod", value="334d"' in name for name in metrics)
    assert faults(metrics) == []


def test_a_wrong_flag_is_named_with_what_it_should_be() -> None:
    """Retention is a promise, deduplication is what makes a redelivery invisible."""
    found = faults(
        {
            'flag{name="retentionPeriod", value="1", is_set="false"}': 1,
            'flag{name="dedup.minScrapeInterval", value="0s", is_set="false"}': 1,
        }
    )

    assert found == ["-retentionPeriod=334d (is '1')", "-dedup.minScrapeInterval=1ms (is '0s')"]


def test_a_store_that_shows_no_flags_is_taken_as_it_is() -> None:
    """A vminsert keeps nothing itself."""
    assert faults({"process_start_time_seconds": 1.0}) == []
