"""The guide "three lines in your logger": every example is run as it stands on the page."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from simulators.hub import TOKEN
from simulators.mosquitto import running
from simulators.publisher import TRUST, release, trust_file
from simulators.tiny_detector import payload

import heatpool_client
from heatpool_client.home import write_private
from heatpool_client.homeassistant import Message
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_client.notifying import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.hub import Hub

    from heatpool_client.config import Config
    from heatpool_client.home import Home
    from heatpool_client.pool import Pool

GUIDE: Final = (
    Path(heatpool_client.__file__).parents[2] / "docs" / "client" / "three-lines.md"
).read_text(encoding="utf-8")
PROGRAM: Final = Path(sys.executable).parent / "heatpool"
RUN_S_MAX: Final = 30.0
LONG_LIVED_TOKEN: Final = "LONG_LIVED_TOKEN"
ADDRESS: Final = "http://homeassistant.local:8123"


def blocks(language: str = "") -> list[str]:
    """Code of the page, in its order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def block(language: str, telling: str) -> str:
    """The one with these words in it."""
    (found,) = (one for one in blocks(language) if telling in one)
    return found


def run(home: Home, text: str, expected: int = 0) -> str:
    """A program of the page, as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={"HEATPOOL_HOME": str(home.root)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
    )
    assert done.returncode == expected, done.stderr
    return done.stdout


def sent(hub: Hub) -> list[dict[str, object]]:
    """What the pool has of it, without times."""
    records = [dict(record) for one in hub.submissions for record in one.data]
    return [{name: one[name] for name in one if name != "timestamp"} for one in records]


def until(done: Callable[[], bool]) -> None:
    """Wait for it, not for ever."""
    deadline_s = time.monotonic() + RUN_S_MAX
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_no_example_is_left_out() -> None:
    """Whoever adds one adds it here."""
    counted = {name: len(blocks(name)) for name in ("python", "yaml", "toml")}
    assert counted == {"python": 5, "yaml": 1, "toml": 2}


def test_setting_up(home: Home, hub: Hub, tmp_path: Path) -> None:
    """`init` with its files beside it; without a terminal nothing is agreed to or sent."""
    (tmp_path / "token.txt").write_text(TOKEN, encoding="ascii")
    (tmp_path / "trust.1.json").write_bytes(trust_file(TRUST))
    (line,) = [one for one in blocks() if one.startswith("heatpool init")]
    words = shlex.split(line.replace("https://pool.example", hub.url))
    subprocess.run(
        [PROGRAM, *words[1:]],
        env={"HEATPOOL_HOME": str(home.root)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
    )
    assert home.config.exists()
    assert hub.requests == []


def test_plain_python(home: Home, agreed: Config, hub: Hub) -> None:
    """Three lines; `close` has sent when it returns."""
    assert agreed
    run(home, block("python", "# once, at the start"))
    assert sent(hub) == [{"temp_flow": 35.1, "power_electric": 1210}]


def test_asyncio(home: Home, agreed: Config, hub: Hub) -> None:
    """The same, awaited."""
    assert agreed
    run(home, block("python", "asyncio.run"))
    assert sent(hub) == [{"temp_flow": 35.1}]


def test_idm_logger(home: Home, agreed: Config, pool: Pool) -> None:
    """A dictionary as that logger has it: numbers are kept, text and None passed over."""
    assert agreed
    values = {"temp_outside": 3.5, "status_heat_pump": 1, "status_str": "heating", "humidity": None}
    run(home, f"values = {values}\n" + block("python", "telemetry.record(values)"))
    batch = pool.spool.due(pool.sender, 10)
    assert batch is not None
    kept = [msgspec.json.decode(one, type=dict[str, float]) for one in batch.records]
    assert [set(one) for one in kept] == [{"timestamp", "temp_outside", "status_heat_pump"}]


def test_scoring_beside_it(home: Home, agreed: Config, pool: Pool, hub: Hub) -> None:
    """An alarm is told in words; without a detector it is the error that the comment names."""
    assert agreed
    text = block("python", "detector = Detector(pool)")
    run(home, text, expected=1)
    hub.release = release(payload())
    pool.update()
    assert run(home, text) == ""
    assert "flow" in run(home, text.replace("35.1", "90.0"))


def test_home_assistant_by_rest(home: Home, agreed: Config, hub: Hub) -> None:
    """Numbers of its states; one that is unavailable is left out, Ctrl-C sends what waits."""
    assert agreed
    text = block("python", "/api/states/")
    assert ADDRESS in text
    with assistant({"sensor.flow": "35.5", "sensor.power": "unavailable"}) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", text.replace(ADDRESS, url)],
            env={"HEATPOOL_HOME": str(home.root)},
            stderr=subprocess.DEVNULL,
        )
        until(home.spool.exists)
        process.send_signal(signal.SIGINT)
        process.wait(RUN_S_MAX)
    assert sent(hub) == [{"temp_flow": 35.5}]


def test_home_assistant_by_mqtt(home: Home, agreed: Config, hub: Hub, tmp_path: Path) -> None:
    """Its states come in by `mqtt_statestream`, and what the pool says goes there by discovery."""
    assert agreed
    map_path = tmp_path / "homeassistant.yaml"
    map_path.write_text(block("yaml", "statestream"), encoding="utf-8")
    source = block("toml", 'kind = "mqtt"')
    alerts = block("toml", "[mqtt]")
    heard: dict[str, bytes] = {}
    with running(tmp_path) as mosquitto:
        here = f'host = "127.0.0.1"\nport = {mosquitto.port}'
        host = 'host = "homeassistant.local"'
        source = source.replace("/etc/heatpool/homeassistant.yaml", str(map_path))
        write_private(home.source, (source.replace(host, here) + "every_s = 1\n").encode())
        write_private(home.alerts, alerts.replace(host, here).encode())
        assert read_settings(home).mqtt is not None
        process = subprocess.Popen([PROGRAM, "run"], env={"HEATPOOL_HOME": str(home.root)})
        with Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port)) as listener:
            listener.subscribe("homeassistant/+/+/+/config", heard.__setitem__)
            while not home.spool.exists() and process.poll() is None:
                for name, value in (("flow", b"35.5"), ("power", b"1210")):
                    listener.retain([Message(f"statestream/sensor/{name}/state", value)])
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(RUN_S_MAX) == 0
    assert sent(hub)[-1] == {"temp_flow": 35.5, "power_electric": 1210.0}
    assert len(heard) == 5


@contextmanager
def assistant(states: dict[str, str]) -> Iterator[str]:
    """Home Assistant's REST interface, as far as the example asks it."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """`/api/states/<entity>` for who has the token."""
            known = states.get(self.path.removeprefix("/api/states/"))
            allowed = self.headers["authorization"] == f"Bearer {LONG_LIVED_TOKEN}"
            body = msgspec.json.encode({"state": known})
            self.send_response(200 if allowed and known is not None else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


pytestmark = pytest.mark.timeout(90)
