"""MQTT topics that a gateway publishes (HeishaMon, ebusd, open3e), gathered into readings.

In: messages as they come. Out: what was seen of each value. Guarantee: a value that has not come
again for `age_s_max` is unread, so that a dead gateway does not go on measuring; payloads that are
no number are unread, too.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client.sources.mapping import Seen, Topic, TopicMap, judge

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS: Final = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}


class TopicSource:
    """The newest value of each topic."""

    def __init__(self, topics: TopicMap, now_s: Callable[[], float]) -> None:
        """Nothing has come yet."""
        self.names = sorted({one.topic for one in topics.topics})
        self._topics = topics.topics
        self._now_s = now_s
        self._age_s_max = topics.age_s_max
        self._newest: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def take(self, topic: str, payload: bytes) -> None:
        """A message has come; called from the network's thread."""
        with self._lock:
            self._newest[topic] = (self._now_s(), payload)

    def read(self) -> list[Seen]:
        """What is known now."""
        with self._lock:
            newest = dict(self._newest)
        now_s = self._now_s()
        return [judge(one, self._raw(one, newest, now_s)) for one in self._topics]

    def _raw(
        self, topic: Topic, newest: dict[str, tuple[float, bytes]], now_s: float
    ) -> float | None:
        at_s, payload = newest.get(topic.topic, (float("-inf"), b""))
        if not 0 <= now_s - at_s <= self._age_s_max:
            return None
        return value_of(payload, topic.member)


def value_of(payload: bytes, member: str | None) -> float | None:
    """The number in a payload, or in a member of its JSON object; None if there is none."""
    found: object
    try:
        if member is None:
            found = payload.decode().strip()
        else:
            found = msgspec.json.decode(payload)
            for name in member.split("."):
                found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, str):
            return _WORDS[found.lower()] if found.lower() in _WORDS else float(found)
        return float(found) if isinstance(found, int | float) else None
    except (ValueError, OverflowError, RecursionError):
        return None
