"""`make transcript`: a home contributes, becomes eligible, updates, and is offered bad models.

A real client over HTTP with a simulated hub, so that the hub can lie; keys are the tests'.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))

from simulators import publisher as pub
from simulators.faketime import FakeTime
from simulators.hub import TOKEN, Hub, running
from simulators.publisher import DAY_S, TRUST, Release, release, trust_file
from simulators.tiny_detector import payload

from heatpool_client import consent, setup
from heatpool_client.consent import CONSENT_VERSION
from heatpool_client.faults import ClientError
from heatpool_client.home import Home
from heatpool_client.pool import Pool
from heatpool_client.submission import Row

NOW_S = pub.NOW_S


def update(pool: Pool, what: str) -> None:
    """One update, told as the client tells it."""
    try:
        done = pool.update()
        text = f"{done.outcome}: {done.answer.reason}"
    except ClientError as error:
        text = f"refused: {error}"
    active = pool.active()
    kept = f"{active.entry.epoch}.{active.entry.seq}" if active else "none"
    print(f"{what:46} -> {text}\n{'':46}    active model: {kept}")


def tell(pool: Pool, hub: Hub) -> None:
    """The story."""
    hub.eligible = False
    hub.release = release(payload())
    update(pool, "a new home asks")
    rows = [Row(NOW_S - 60.0 * at, {"temp_flow": 35.0}) for at in range(3, 0, -1)]
    stored = sum(1 for _ in pool.send(rows))
    print(f"{'it contributes':46} -> {stored} request stored, {hub.samples()} values")
    hub.eligible = True
    update(pool, "it has become eligible (release 1.7)")
    hub.release = release(payload(), signers=("thief",), seq=8)
    update(pool, "forged: 1.8 signed by another key")
    hub.release = release(payload(), seq=6)
    hub.fresh = lambda one: one.fresh(seq=7)
    update(pool, "old: 1.6, signed by us last month")
    hub.fresh = Release.fresh
    times = {"created_s": NOW_S - 90 * DAY_S, "expires_s": NOW_S - DAY_S}
    hub.release = release(payload(), seq=9, **times)  # type: ignore[arg-type]  # facts by name
    update(pool, "expired: 1.9, signed by us")
    hub.release = release(payload(), seq=9, model="other")
    hub.fresh = lambda one: one.fresh(model=pub.MODEL)
    update(pool, "foreign: 1.9 of another heat pump")
    hub.fresh = Release.fresh
    stolen = msgspec.structs.replace(TRUST, version=2, epoch=2, release=pub.role("release 2"))
    hub.trusts["2"] = trust_file(stolen)
    hub.release = release(payload(), seq=2**53 - 1)
    update(pool, "key stolen and revoked; the thief's 1.max")
    hub.release = release(payload(), seq=1, epoch=2, signers=("release 2",))
    update(pool, "good: 2.1, signed by the new key")


def main() -> None:
    """Set up a home in a temporary folder and tell its story."""
    time = FakeTime()
    with tempfile.TemporaryDirectory() as folder, running(Hub()) as hub:
        home = Home(Path(folder) / "home")
        choices = setup.Choices(
            settings={"server": hub.url, "model": "AERO SLM 6-17", "retry_s_max": 100.0},
            token=TOKEN,
            trust=trust_file(TRUST),
        )
        config = setup.initialise(home, choices, time.now_s, lambda size: b"\x07" * size)
        consent.grant(
            home,
            CONSENT_VERSION,
            time.now_s,
            language="en",
            means="option",
            client_version="0.1.0",
        )
        with Pool(home, config, {}, time.clock()) as pool:
            tell(pool, hub)


if __name__ == "__main__":
    main()
