"""One home with a heat pump that gets a fault, its pool, and its page on a port of its own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import uvicorn
from simulators.hub import TOKEN
from simulators.publisher import MODEL, NOW_S, TRUST, release, trust_file
from simulators.small_detector import reading, small

from heatpool_client import deciding, setup
from heatpool_client.consent import CONSENT_VERSION
from heatpool_client.home import Home
from heatpool_client.pool import Pool
from heatpool_client.telemetry import Telemetry
from heatpool_client.watching import Detector
from heatpool_client.web.routes import Site
from heatpool_client.web.serving import application
from heatpool_contract.detector import encode
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulators.community_hub import CommunityHub
    from simulators.faketime import FakeTime

    from heatpool_client.web.guard import Secret
    from heatpool_contract.detector import Detector as DetectorData

DAYS = 7
STEP_MIN = 5
FAULT_H = 20  # before now, the COP falls
READY_S_MAX = 20.0
LABELS = {
    "cop": ("COP", "COP"),
    "flow": ("flow temperature", "Vorlauftemperatur"),
    "return": ("return temperature", "Rücklauftemperatur"),
    "outdoor": ("outdoor temperature", "Außentemperatur"),
    "pressure": ("low pressure", "Niederdruck"),
    "spread": ("spread", "Spreizung"),
}


class Household:
    """The library on one home, and what its logger did."""

    def __init__(self, folder: Path, hub: CommunityHub, fake_time: FakeTime) -> None:
        """Set up with keys, token and trust file; nothing is agreed to."""
        self.hub = hub
        self.fake_time = fake_time
        self.home = Home(folder / "home")
        settings = {"server": hub.url, "model": "AERO SLM 6-17", "retry_s_max": 0.0}
        choices = setup.Choices(settings=settings, token=TOKEN, trust=trust_file(TRUST))
        self.config = setup.initialise(self.home, choices, NOW_S, lambda size: b"\x07" * size)
        self.environ: dict[str, str] = {}
        self.pool = Pool(self.home, self.config, self.environ, fake_time.clock())

    def agree(self) -> None:
        """Opt in, as the command line does."""
        deciding.agree(self.home, CONSENT_VERSION, NOW_S, language="en", means="option")

    def live(self) -> None:
        """A week of readings through the pool's detector; the last hours of them still wait."""
        self.hub.release = release(encode(_detector()))
        assert self.pool.update().outcome == "activated"
        detector = Detector(self.pool)
        minutes = DAYS * 1440
        telemetry = Telemetry(
            self.config,
            home=self.home.root,
            environ=self.environ,
            clock=self.fake_time.clock(),
            background=False,
        )
        for minute in range(0, minutes + 1, STEP_MIN):
            at_s = NOW_S - (minutes - minute) * 60.0
            is_faulty = minutes - minute < FAULT_H * 60
            sent = reading(minute, cop=0.72 if is_faulty else 1.0)
            named = {
                "cop_current": sent["cop"],
                "temp_flow": sent["flow"],
                "temp_outdoor": sent["T_a"],
            }
            detector.score(sent | named, at_s)
            if minute == minutes - 4 * 60:
                telemetry.flush()
            if minute > minutes - 12 * 60:
                telemetry.record({"timestamp": at_s, **named, "note": "text"})
        detector.save()
        telemetry._history.flush()
        telemetry._pool.close()


def _detector() -> DetectorData:
    """The small one, with names that an owner reads."""
    bare = small()

    def named(one: object) -> object:
        english, german = LABELS.get(one.name, (one.name, one.name))  # type: ignore[attr-defined]  # Field or Derived
        return msgspec.structs.replace(one, label_en=english, label_de=german)  # type: ignore[type-var]

    return msgspec.structs.replace(
        bare,
        model=MODEL,
        fields=tuple(named(one) for one in bare.fields),
        derived=tuple(named(one) for one in bare.derived),
    )


@contextmanager
def served(pool: Pool, secret: Secret | None = None) -> Iterator[str]:
    """The page on a port of its own; its address."""
    port = free_port()
    site = Site(pool, secret)
    server = uvicorn.Server(
        uvicorn.Config(application(site), host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + READY_S_MAX
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
