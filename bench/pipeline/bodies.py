"""The same samples in three forms: a logger's request, line protocol, finished import lines.

In: a seed, the homes. Out: gzipped bodies, made before anything is measured. The texts of `VARIETY`
homes are made once; every further home is one of them under another name, which the store and the
stream see as another home.
"""

from __future__ import annotations

import json
import random
import uuid
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from heatpool_contract import identity
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS: Final = (
    "power",
    "temp_flow",
    "temp_return",
    "temp_outside",
    "temp_hot_water",
    "flow_rate",
    "compressor_speed",
    "pressure_high",
    "pressure_low",
    "heat_output",
    "compressor_on",
)
"""Eleven, as a deployed logger sends."""
VARIETY: Final = 40
GZIP_LEVEL: Final = 1
_GZIP_WBITS: Final = 31
_NAME: Final = ("@installation@", "@pseudonym@", "@model@")
_PSEUDONYM, _MODEL = _NAME[1:]
Rows = list[tuple[int, list[float]]]


class Texts(NamedTuple):
    """What a home sends, with blanks for its names."""

    newest_s: int
    records: int
    request: str
    """`POST /api/v1/submit`."""
    line_protocol: str
    """`POST /write`, as InfluxDB's clients send it."""
    import_lines: str
    """`POST /api/v1/import`, as the writer sends it."""


class Home:
    """One home's batch."""

    def __init__(self, number: int, run: str, texts: Texts, key: bytes) -> None:
        rng = random.Random(f"{run}/{number}")
        self.installation = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self.pseudonym = identity.pseudonym(InstallationId(self.installation), key)
        self.model = identity.model_slug(run) or ""
        self.texts = texts

    def body(self, form: Callable[[Texts], str]) -> bytes:
        """What it posts, gzipped."""
        text = form(self.texts)
        for blank, name in zip(_NAME, (self.installation, self.pseudonym, self.model), strict=True):
            text = text.replace(blank, name)
        packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
        return packer.compress(text.encode()) + packer.flush()


def homes(count: int, run: str, texts: list[Texts], key: bytes) -> list[Home]:
    """Homes that no other run has."""
    return [Home(number, run, texts[number % len(texts)], key) for number in range(count)]


def texts_of(records: int, end_s: int) -> list[Texts]:
    """A minute a record, up to `end_s`."""
    return [
        _texts(random.Random(f"{records}/{number}"), records, end_s) for number in range(VARIETY)
    ]


def _texts(rng: random.Random, records: int, end_s: int) -> Texts:
    levels = [rng.uniform(20, 60) for _ in FIELDS]
    rows: Rows = []
    for i in range(records):
        levels = [level + rng.gauss(0, 0.2) for level in levels]
        rows.append((end_s - 60 * (records - i), [round(level, 2) for level in levels]))
    return Texts(rows[-1][0], records, _request(rows), _line_protocol(rows), _import_lines(rows))


def _request(rows: Rows) -> str:
    data = [
        {"timestamp": stamp, **dict(zip(FIELDS, values, strict=True))} for stamp, values in rows
    ]
    names = {"installation_id": _NAME[0], "heatpump_model": _MODEL, "version": "1.0.0"}
    return json.dumps({**names, "data": data})


def _line_protocol(rows: Rows) -> str:
    tags = f"heatpump,installation={_PSEUDONYM},model={_MODEL}"
    return "\n".join(
        f"{tags} "
        + ",".join(f"{name}={value}" for name, value in zip(FIELDS, values, strict=True))
        + f" {stamp}000000000"
        for stamp, values in rows
    )


def _import_lines(rows: Rows) -> str:
    stamps = [stamp * 1000 for stamp, _values in rows]
    return "\n".join(
        json.dumps(
            {
                "metric": {
                    "__name__": f"heatpump_{name}",
                    "installation": _PSEUDONYM,
                    "model": _MODEL,
                },
                "values": [values[column] for _stamp, values in rows],
                "timestamps": stamps,
            },
            separators=(",", ":"),
        )
        for column, name in enumerate(FIELDS)
    )
