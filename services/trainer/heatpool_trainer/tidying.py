"""What stays behind in the Object Store: files that no pointer names, parts of broken uploads.

In: KV RELEASES and the refused candidates in TRAINING, the stream of the Object Store MODELS, now.
Out: what was removed. Guarantee: a file that is named there is never touched, nor one that was
named or uploaded within the last days: two releases stay servable for a week, and another trainer
may be on its way from file to pointer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract import release
from heatpool_contract.release import SERVED_S_MIN
from heatpool_contract.subjects import KV_PROGRESS, KV_RELEASES, OBJECTS_MODELS

if TYPE_CHECKING:
    from nats.js import JetStreamContext

DAY_S: Final = 86_400
UNNAMED_S_MAX: Final = SERVED_S_MIN + DAY_S
"""From its upload: then its successor's successor is there, or it never got a pointer."""
PART_S_MAX: Final = DAY_S
"""An upload ends within a minute, or it is dead."""
_STREAM: Final = f"OBJ_{OBJECTS_MODELS}"
_CHUNKS: Final = f"$O.{OBJECTS_MODELS}.C."
_METAS: Final = f"$O.{OBJECTS_MODELS}.M."


class Tidied(msgspec.Struct, frozen=True):
    """What was removed."""

    files: int
    parts: int
    """Uploads that had not ended."""


class _Meta(msgspec.Struct, frozen=True):
    """What the Object Store says of a file (ADR-20), as far as it matters here."""

    name: str
    nuid: str = ""


async def tidy(js: JetStreamContext, now_s: float) -> Tidied:
    """Remove what nobody can ask for any more."""
    stored = await js.stream_info(_STREAM, subjects_filter=f"$O.{OBJECTS_MODELS}.>")
    subjects = sorted(stored.state.subjects or {})
    # After the subjects: a file whose pointer came in between is found named.
    named, known, files = await _named(js), set(), 0
    for subject in subjects:
        if not subject.startswith(_METAS):
            continue
        raw, age_s = await _last(js, subject, now_s)
        meta = msgspec.json.decode(raw, type=_Meta)
        known.add(meta.nuid)
        if meta.name not in named and age_s > UNNAMED_S_MAX:
            await js.purge_stream(_STREAM, subject=_CHUNKS + meta.nuid)
            await js.purge_stream(_STREAM, subject=subject)
            files += 1
    parts = 0
    for subject in subjects:
        nuid = subject.removeprefix(_CHUNKS)
        if nuid in known or nuid == subject:
            continue
        _, age_s = await _last(js, subject, now_s)
        if age_s > PART_S_MAX:
            await js.purge_stream(_STREAM, subject=subject)
            parts += 1
    return Tidied(files, parts)


async def _named(js: JetStreamContext) -> set[str]:
    names = set()
    for value in await _values(js, KV_RELEASES, "*"):
        pointer = release.decode_pointer(value)
        for one in (pointer.current, pointer.previous):
            if one is not None:
                names.add(release.object_name(pointer.model, one.model_hash))
    for value in await _values(js, KV_PROGRESS, release.refused_key("*")):
        names |= {one.object_name for one in release.decode_refused(value).candidates}
    return names


async def _values(js: JetStreamContext, bucket: str, keys: str) -> list[bytes]:
    """All values under `keys`.

    Subjects are asked for, not keys: nats-py's list of keys may come out empty when it is not, and
    then everything would be nameless.
    """
    stream, prefix = f"KV_{bucket}", f"$KV.{bucket}."
    info = await js.stream_info(stream, subjects_filter=prefix + keys)
    found = [await js.get_last_msg(stream, subject) for subject in info.state.subjects or {}]
    return [one.data for one in found if one.data]


async def _last(js: JetStreamContext, subject: str, now_s: float) -> tuple[bytes, float]:
    """The newest message of a subject, and how old it is."""
    message = await js.get_last_msg(_STREAM, subject)
    stored = message.time or datetime.fromtimestamp(now_s, UTC)
    return message.data or b"", now_s - stored.timestamp()
