"""The pool is down for a month; then it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulators.hub import Hub, Reply, Seen, refusal
from simulators.publisher import NOW_S

from heatpool_client import config as configuration
from heatpool_client.telemetry import Telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from simulators.faketime import FakeTime

    from heatpool_client.config import Config
    from heatpool_client.home import Home

ROUNDS, ROUND_S = 120, 6 * 3600.0
"""Thirty days; a round is a reading and a try to send."""
DOWN = (
    Reply(hang_up=True),
    refusal(Refusal.BUS_UNAVAILABLE, retry_after_s=30),
    Reply(502, b"<html>Bad Gateway</html>"),
    Reply(200, b"<html>This domain is for sale</html>"),
)


class Outage:
    """A hub that is down in all the ways that there are, in turn."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = 0

    def answer(self, seen: Seen) -> Reply:  # noqa: ARG002 - as a hub's
        """Anything but an answer."""
        self.asked += 1
        return DOWN[self.asked % len(DOWN)]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_thirty_days_without_the_pool_lose_nothing(
    home: Home, agreed: Config, environ: dict[str, str], hub: Hub, fake_time: FakeTime, order: str
) -> None:
    """Asked once a round at most; when it is back all comes, once, in the order that is set."""
    text = f'batch_records_max = 20\norder = "{order}"\n'.encode()
    home.config.write_bytes(text + configuration.encode(agreed))
    usual, outage = hub.answer, Outage()
    hub.answer = outage.answer  # type: ignore[method-assign]  # the world changes
    with Telemetry(
        home=home.root, environ=environ, clock=fake_time.clock(), background=False
    ) as telemetry:
        for number in range(ROUNDS):
            fake_time.now_s = NOW_S + number * ROUND_S
            assert telemetry.record({"a": number})
            telemetry._send(at_once=False)
        assert ROUNDS / 2 < outage.asked <= ROUNDS
        assert telemetry.health().problem is not None
        hub.answer = usual  # type: ignore[method-assign]  # it is back
        done = telemetry.flush()
    assert done is not None
    assert (done.records, done.waiting) == (ROUNDS, 0)
    batches = [[int(str(record["a"])) for record in one.data] for one in hub.submissions]
    assert sorted(number for batch in batches for number in batch) == list(range(ROUNDS))
    later = [batch[0] for batch in batches[1:]]  # the first was made before the outage
    assert later == sorted(later, reverse=order == "newest")
