"""A gateway between a heat pump's bus and MQTT, loaded with a map of the client.

In: a `TopicMap`. Out: what such a gateway publishes: a number a topic, or one JSON object with all
members of a topic. Guarantee: each value is the middle of its range.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from heatpool_client.homeassistant import Message

if TYPE_CHECKING:
    from heatpool_client.sources.mapping import TopicMap

TOPIC_MAPS = ("ems_esp", "heishamon", "vaillant_ebusd", "viessmann_open3e")
Nested = dict[str, "Nested | float"]


def expected(found: TopicMap) -> dict[str, float]:
    """Field -> value."""
    return {one.field: round((one.low + one.high) / 2, 3) for one in found.topics}


def messages(found: TopicMap) -> list[Message]:
    """One for each topic."""
    objects: defaultdict[str, Nested] = defaultdict(dict)
    plain: list[Message] = []
    for one in found.topics:
        raw = (round((one.low + one.high) / 2, 3) - one.shift) / one.scale
        if one.member is None:
            plain.append(Message(one.topic, str(raw).encode()))
            continue
        place = objects[one.topic]
        *outer, last = one.member.split(".")
        for name in outer:
            inner = place.setdefault(name, {})
            assert isinstance(inner, dict)
            place = inner
        place[last] = raw
    return [*plain, *(Message(name, msgspec.json.encode(one)) for name, one in objects.items())]
