"""Exported readings by home and day, so that a training exports only what is new.

In: readings of one home and day, and the fingerprint that the store has of them. Out: the same as
long as the fingerprint is the same. Guarantee: what is damaged or outdated counts as missing, never
as data; the folder never grows beyond its limit; a home that is forgotten is gone from the disk.
"""

from __future__ import annotations

import os
import shutil
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from heatpool_contract.identity import is_pseudonym, is_slug
from heatpool_trainer import spool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from heatpool_trainer.readings import HomeSeries

_DIGEST_BYTES: Final = 16
_PART: Final = ".part"


class DayStore:
    """`<folder>/<model>/<home>/<day>.<fingerprint>`; processes each work on homes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, model: str, home: str, day: int, fingerprint: str) -> HomeSeries | None:
        """The readings of a day, if they are here as the store has them now."""
        path = self._home(model, home) / _name(day, fingerprint)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest != _digest(body):  # a power cut, or a bad disk
            return None
        try:
            return spool.decode(home, body)
        except spool.MalformedSeriesError:
            return None

    def put(self, model: str, day: int, fingerprint: str, series: HomeSeries) -> int:
        """Keep the readings of a day; the bytes written."""
        folder = self._home(model, series.home)
        folder.mkdir(parents=True, exist_ok=True)
        body = spool.encode(series)
        path = folder / _name(day, fingerprint)
        part = path.with_suffix(_PART)
        part.write_bytes(_digest(body) + body)
        part.rename(path)
        return _DIGEST_BYTES + len(body)

    def keep(self, model: str, home: str, fingerprints: Mapping[int, str]) -> None:
        """Delete all of a home but these days."""
        wanted = {_name(day, one) for day, one in fingerprints.items()}
        folder = self._home(model, home)
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name not in wanted:
                entry.unlink()

    def forget(self, home: str) -> bool:
        """Delete a home, whatever models it sent; whether there was anything."""
        found = [model / home for model in self._models() if (model / home).is_dir()]
        for folder in found:
            shutil.rmtree(folder)
        return bool(found)

    def homes(self) -> set[str]:
        """All that have a day here."""
        return {entry.name for model in self._models() for entry in model.iterdir()}

    def trim(self, bytes_max: int) -> int:
        """Delete the oldest days until the rest fits; the bytes that remain."""
        files = sorted(
            (int(entry.name.partition(".")[0]), entry.stat().st_size, entry.path)
            for model in self._models()
            for home in model.iterdir()
            for entry in os.scandir(home)
        )
        total = sum(size for _day, size, _path in files)
        for _day, size, path in files:
            if total <= bytes_max:
                break
            os.unlink(path)  # noqa: PTH108 - scandir gives strings
            total -= size
        return total

    def _models(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _home(self, model: str, home: str) -> Path:
        if not is_slug(model) or not is_pseudonym(home):
            raise ValueError("neither model nor home may name a path")
        return self._folder / model / home


def _name(day: int, fingerprint: str) -> str:
    return f"{day}.{fingerprint}"


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()
