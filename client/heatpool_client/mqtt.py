"""A connection to an MQTT broker of the house: retained messages out, topics in.

In: settings. Out: published messages; values of topics. Guarantee: never blocks the logger for
longer than `CONNECT_S_MAX` at its start; after an interruption the library connects again by itself
and everything retained is published anew, also when Home Assistant restarts; the last will says
that we are gone. Needs `heatpool-client[mqtt]`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from heatpool_client.faults import ClientError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from heatpool_client.homeassistant import Message

CONNECT_S_MAX: Final = 10.0
PUBLISH_S_MAX: Final = 10.0
KEEPALIVE_S: Final = 60
MESSAGE_BYTES_MAX: Final = 256 * 1024


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883
    username: str | None = None
    password: str | None = None
    tls: bool = False
    prefix: str = "homeassistant"
    """Of Home Assistant's discovery."""
    base: str = "heatpool"
    """Of our own topics."""

    def __repr__(self) -> str:
        """Without the password."""
        return f"MqttSettings(host={self.host!r}, port={self.port})"


class Broker:
    """One connection; make it, publish, close it."""

    def __init__(self, settings: MqttSettings, will: Message | None = None) -> None:
        """Connect nothing yet.

        Args:
            settings: where.
            will: published by the broker when we are gone.

        Raises:
            ClientError: `extra_missing`.
        """
        try:
            from paho.mqtt.client import Client  # noqa: PLC0415 - an extra
            from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 - as above
        except ImportError as error:
            raise ClientError(Fault.EXTRA_MISSING, "mqtt") from error
        self._settings = settings
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(settings.username, settings.password)
        if settings.tls:
            self._client.tls_set()
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._retained: dict[str, bytes] = {}
        self._takers: dict[str, Callable[[str, bytes], None]] = {}
        self._fresh_only: set[str] = set()
        self._up = threading.Event()
        self._refused = ""
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._message

    def open(self) -> None:
        """Connect.

        Raises:
            ClientError: `broker_unreachable`; it goes on trying in the background.
        """
        settings = self._settings
        self._client.connect_timeout = CONNECT_S_MAX
        self._client.connect_async(settings.host, settings.port, KEEPALIVE_S)
        self._client.loop_start()
        if not self._up.wait(CONNECT_S_MAX):
            where = f"{settings.host}:{settings.port}"
            raise ClientError(Fault.BROKER_UNREACHABLE, where, self._refused or "no answer")

    def retain(self, messages: Iterable[Message], *, wait: bool = False) -> None:
        """Publish retained messages, now and after each reconnection.

        Args:
            messages: the newest of a topic counts.
            wait: until the broker has them, at most `PUBLISH_S_MAX`.
        """
        for message in messages:
            self._retained[message.topic] = message.payload
            if self._client.is_connected():
                sent = self._client.publish(message.topic, message.payload, qos=1, retain=True)
                if wait:
                    sent.wait_for_publish(PUBLISH_S_MAX)

    def subscribe(
        self, topic: str, take: Callable[[str, bytes], None], *, retained: bool = True
    ) -> None:
        """Have `take(topic, payload)` called in the network thread; `topic` may have wildcards.

        Args:
            topic: one, or a pattern.
            take: what to do.
            retained: also with what the broker has kept, of which nobody knows how old it is.
        """
        self._takers[topic] = take
        if not retained:
            self._fresh_only.add(topic)
        if self._client.is_connected():
            self._client.subscribe(topic, qos=1)

    def republish_on(self, topic: str, payload: bytes) -> None:
        """Publish all that is retained again when `payload` comes on `topic`."""
        self.subscribe(topic, lambda _topic, seen: self._again() if seen == payload else None)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        """Connect."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self.close()

    def _again(self) -> None:
        for topic, payload in list(self._retained.items()):
            self._client.publish(topic, payload, qos=1, retain=True)

    def _connected(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        for topic in self._takers:
            client.subscribe(topic, qos=1)
        self._again()
        self._up.set()

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._refused = str(reason)

    def _message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if len(message.payload) > MESSAGE_BYTES_MAX:
            return
        for pattern, take in self._takers.items():
            if message.retain and pattern in self._fresh_only:
                continue
            if _matches(pattern, message.topic):
                take(message.topic, bytes(message.payload))


def _matches(pattern: str, topic: str) -> bool:
    from paho.mqtt.client import topic_matches_sub  # noqa: PLC0415 - an extra

    return topic_matches_sub(pattern, topic)
