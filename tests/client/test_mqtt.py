"""Home Assistant over a real Mosquitto: discovery, state, last will, restarts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.mosquitto import Mosquitto, running

import heatpool_client
from heatpool_client.config import Config
from heatpool_client.faults import ClientError, Fault
from heatpool_client.homeassistant import (
    OFFLINE,
    ONLINE,
    Message,
    Shown,
    Topics,
    discovery,
    removal,
    state,
)
from heatpool_client.mqtt import Broker, MqttSettings
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = Config(
    server="https://pool.example",
    installation_id="3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c",
    model="AERO SLM 6-17",
)
TOPICS = Topics(CONFIG, "homeassistant", "heatpool")
SECONDS_MAX = 15.0
PAGE = Path(heatpool_client.__file__).parents[2] / "docs" / "client" / "alerts.md"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test's own."""
    with running(tmp_path) as broker:
        yield broker


class Listener:
    """Home Assistant's ears."""

    def __init__(self, mosquitto: Mosquitto) -> None:
        """Hear everything."""
        self.heard: dict[str, bytes] = {}
        self.count = 0
        self.broker = Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port))
        self.broker.subscribe("#", self._take)

    def _take(self, topic: str, payload: bytes) -> None:
        self.heard[topic] = payload
        self.count += 1

    def wait_for(self, topic: str, payload: bytes) -> None:
        """Until it is heard."""
        deadline_s = time.monotonic() + SECONDS_MAX
        while self.heard.get(topic) != payload:
            assert time.monotonic() < deadline_s, (topic, self.heard.get(topic))
            time.sleep(0.02)


def test_entities_appear_with_their_state(mosquitto: Mosquitto) -> None:
    """Retained: Home Assistant may start later; every template reads a member of the state."""
    shown = Shown(anomaly_score=0.25, alarm=True, reason="Text", model_version="1", waiting=3)
    with Broker(MqttSettings(host="127.0.0.1", port=mosquitto.port)) as broker:
        broker.retain([*discovery(TOPICS, CONFIG, "en"), state(TOPICS, shown)], wait=True)
    listener = Listener(mosquitto)
    with listener.broker:
        listener.wait_for(TOPICS.state, msgspec.json.encode(shown))
        for message in discovery(TOPICS, CONFIG, "en"):
            listener.wait_for(message.topic, message.payload)
    names = {topic.split("/")[3] for topic in listener.heard if topic.startswith("homeassistant/")}
    assert names == {"anomaly_score", "alarm", "model_version", "last_upload", "pool_status"}
    for name in names:
        assert hasattr(shown, name)
    assert CONFIG.installation_id.encode() not in b"".join(listener.heard.values())
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert {f"{topic} {payload.decode()}" for topic, payload in listener.heard.items()} <= set(page)


@pytest.mark.parametrize("language", ["en", "de"])
def test_discovery_messages_have_what_home_assistant_requires(language: str) -> None:
    """Unique ids, one device, availability, and payloads of the binary sensor."""
    found = [
        msgspec.json.decode(one.payload)
        for one in discovery(TOPICS, CONFIG, "de" if language == "de" else "en")
    ]
    assert len({one["unique_id"] for one in found}) == 5
    assert len({one["device"]["identifiers"][0] for one in found}) == 1
    assert {one["availability_topic"] for one in found} == {TOPICS.availability}
    alarm = next(one for one in found if one["unique_id"].endswith("alarm"))
    assert (alarm["payload_on"], alarm["device_class"]) == ("ON", "problem")
    assert all(one.payload == b"" for one in removal(TOPICS))


def test_all_is_told_again_when_home_assistant_or_the_broker_restarts(
    mosquitto: Mosquitto,
) -> None:
    """A birth message, and a broker that lost everything."""
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    listener = Listener(mosquitto)
    shown = state(TOPICS, Shown(anomaly_score=0.5))
    with listener.broker, Broker(settings) as broker:
        broker.republish_on(TOPICS.birth, ONLINE.encode())
        broker.retain([shown], wait=True)
        listener.wait_for(shown.topic, shown.payload)
        listener.heard.clear()
        listener.broker.retain([Message(TOPICS.birth, ONLINE.encode())])
        listener.wait_for(shown.topic, shown.payload)
        mosquitto.stop()
        listener.heard.clear()
        mosquitto.start()
        listener.wait_for(shown.topic, shown.payload)


def test_the_last_will_says_that_we_are_gone(mosquitto: Mosquitto) -> None:
    """Also without a goodbye: the socket just breaks."""
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    listener = Listener(mosquitto)
    with listener.broker:
        broker = Broker(settings, Message(TOPICS.availability, OFFLINE.encode()))
        broker.open()
        broker.retain([Message(TOPICS.availability, ONLINE.encode())], wait=True)
        listener.wait_for(TOPICS.availability, ONLINE.encode())
        broker._client.loop_stop()
        broker._client.socket().close()  # type: ignore[union-attr]  # it is connected
        listener.wait_for(TOPICS.availability, OFFLINE.encode())


def test_a_broker_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that a connection may take."""
    monkeypatch.setattr("heatpool_client.mqtt.CONNECT_S_MAX", 0.2)
    broker = Broker(MqttSettings(host="127.0.0.1", port=free_port(), password="secret"))
    with pytest.raises(ClientError) as caught:
        broker.open()
    broker.close()
    assert caught.value.code is Fault.BROKER_UNREACHABLE
    assert "secret" not in repr(broker._settings)
