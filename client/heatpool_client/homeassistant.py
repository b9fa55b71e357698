"""What Home Assistant is told over MQTT. Pure.

In: an installation, its present state. Out: topics and payloads: a discovery message for each
entity, one state document that all of them read. Guarantee: the installation's id is not published;
entities keep their ids over restarts and updates.

Source: Home Assistant, "MQTT" integration, sections discovery, sensor and binary sensor
(https://www.home-assistant.io/integrations/mqtt).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.version import CLIENT_VERSION

if TYPE_CHECKING:
    from heatpool_client.config import Config
    from heatpool_client.faults import Language

ONLINE: Final = "online"
OFFLINE: Final = "offline"
BIRTH_TOPIC: Final = "status"
"""Below the discovery prefix: Home Assistant says there that it has started."""


class Message(msgspec.Struct, frozen=True):
    """One retained message."""

    topic: str
    payload: bytes


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The state document."""

    anomaly_score: float | None = None
    alarm: bool = False
    reason: str = ""
    """Of the alarm, in words."""
    model_version: str | None = None
    last_upload: str | None = None
    """ISO 8601 with zone, as `device_class: timestamp` wants it."""
    pool_status: str = "unknown"
    """`eligible`, `not_eligible` or `unknown`."""
    pool_installations: int | None = None
    waiting: int = 0
    """Records in the spool."""


class _Device(msgspec.Struct, frozen=True, kw_only=True):
    identifiers: list[str]
    name: str
    model: str
    manufacturer: str = "heatpool"
    sw_version: str = CLIENT_VERSION


class _Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    unique_id: str
    state_topic: str
    value_template: str
    availability_topic: str
    device: _Device
    device_class: str | None = None
    state_class: str | None = None
    icon: str | None = None
    entity_category: str | None = None
    payload_on: str | None = None
    payload_off: str | None = None
    json_attributes_topic: str | None = None
    json_attributes_template: str | None = None


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    component: str
    key: str
    en: str
    de: str
    template: str
    device_class: str | None = None
    state_class: str | None = None
    icon: str | None = None
    attributes: str | None = None
    diagnostic: bool = False


_KINDS: Final = (
    _Kind(
        component="sensor", key="anomaly_score", en="Anomaly score", de="Auffälligkeit",
        template="{{ value_json.anomaly_score }}", state_class="measurement",
        icon="mdi:chart-bell-curve",
    ),
    _Kind(
        component="binary_sensor", key="alarm", en="Alarm", de="Alarm", device_class="problem",
        template="{{ 'ON' if value_json.alarm else 'OFF' }}",
        attributes="{{ {'reason': value_json.reason} | tojson }}",
    ),
    _Kind(
        component="sensor", key="model_version", en="Detector version", de="Modellversion",
        template="{{ value_json.model_version }}", icon="mdi:package-variant", diagnostic=True,
    ),
    _Kind(
        component="sensor", key="last_upload", en="Last upload", de="Letzte Übertragung",
        template="{{ value_json.last_upload }}", device_class="timestamp", diagnostic=True,
    ),
    _Kind(
        component="sensor", key="pool_status", en="Pool status", de="Status im Datenpool",
        template="{{ value_json.pool_status }}", icon="mdi:home-group",
        attributes="{{ {'installations': value_json.pool_installations} | tojson }}",
        diagnostic=True,
    ),
)  # fmt: skip  # one entry, one entity


class Topics:
    """Names for one installation."""

    def __init__(self, config: Config, prefix: str, base: str) -> None:
        """Derive them.

        Args:
            config: the installation.
            prefix: of discovery, usually `homeassistant`.
            base: of our own topics, usually `heatpool`.
        """
        self.prefix = prefix
        self.key = sha256(b"heatpool-mqtt\0" + config.installation_id.encode()).hexdigest()[:12]
        self.state = f"{base}/{self.key}/state"
        self.availability = f"{base}/{self.key}/availability"
        self.birth = f"{prefix}/{BIRTH_TOPIC}"

    def discovery(self, component: str, key: str) -> str:
        """Of one entity."""
        return f"{self.prefix}/{component}/heatpool_{self.key}/{key}/config"


def discovery(topics: Topics, config: Config, language: Language) -> list[Message]:
    """A message for each entity."""
    device = _Device(
        identifiers=[f"heatpool_{topics.key}"], name=f"heatpool {config.model}", model=config.model
    )
    return [
        Message(
            topics.discovery(kind.component, kind.key),
            msgspec.json.encode(_entity(topics, kind, device, language)),
        )
        for kind in _KINDS
    ]


def removal(topics: Topics) -> list[Message]:
    """Empty retained messages: the entities go."""
    return [Message(topics.discovery(kind.component, kind.key), b"") for kind in _KINDS]


def state(topics: Topics, shown: Shown) -> Message:
    """The state document."""
    return Message(topics.state, msgspec.json.encode(shown))


def _entity(topics: Topics, kind: _Kind, device: _Device, language: Language) -> _Entity:
    binary = kind.component == "binary_sensor"
    return _Entity(
        name=kind.de if language == "de" else kind.en,
        unique_id=f"heatpool_{topics.key}_{kind.key}",
        state_topic=topics.state,
        value_template=kind.template,
        availability_topic=topics.availability,
        device=device,
        device_class=kind.device_class,
        state_class=kind.state_class,
        icon=kind.icon,
        entity_category="diagnostic" if kind.diagnostic else None,
        payload_on="ON" if binary else None,
        payload_off="OFF" if binary else None,
        json_attributes_topic=topics.state if kind.attributes else None,
        json_attributes_template=kind.attributes,
    )
