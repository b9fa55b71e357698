"""The same samples in three forms: a logger's request, line protocol, finished import lines.

In: a seed, the homes. Out: gzipped bodies, made before anything is measured.
"""

from __future__ import annotations

import gzip
import json
import random
import uuid
from typing import Final

from heatpool_contract import identity
from heatpool_contract.identity import InstallationId

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
GZIP_LEVEL: Final = 1
Rows = list[tuple[int, list[float]]]


class Home:
    """One home's batch: a minute a record."""

    def __init__(self, number: int, run: str, records: int, end_s: int, key: bytes) -> None:
        rng = random.Random(f"{run}/{number}")
        self.installation = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self.pseudonym = identity.pseudonym(InstallationId(self.installation), key)
        levels = [rng.uniform(20, 60) for _ in FIELDS]
        self.model = identity.model_slug(run) or ""
        self.rows: Rows = []
        for i in range(records):
            levels = [level + rng.gauss(0, 0.2) for level in levels]
            self.rows.append((end_s - 60 * (records - i), [round(level, 2) for level in levels]))

    def request(self) -> bytes:
        """`POST /api/v1/submit`."""
        data = [
            {"timestamp": stamp, **dict(zip(FIELDS, values, strict=True))}
            for stamp, values in self.rows
        ]
        body = {
            "installation_id": self.installation,
            "heatpump_model": self.model,
            "version": "1.0.0",
            "data": data,
        }
        return _packed(json.dumps(body))

    def line_protocol(self) -> bytes:
        """`POST /write`, as InfluxDB's clients send it."""
        tags = f"heatpump,installation={self.pseudonym},model={self.model}"
        return _packed(
            "\n".join(
                f"{tags} "
                + ",".join(f"{name}={value}" for name, value in zip(FIELDS, values, strict=True))
                + f" {stamp}000000000"
                for stamp, values in self.rows
            )
        )

    def import_lines(self) -> bytes:
        """`POST /api/v1/import`, as the writer sends it."""
        stamps = [stamp * 1000 for stamp, _values in self.rows]
        return _packed(
            "\n".join(
                json.dumps(
                    {
                        "metric": {
                            "__name__": f"heatpump_{name}",
                            "installation": self.pseudonym,
                            "model": self.model,
                        },
                        "values": [values[column] for _stamp, values in self.rows],
                        "timestamps": stamps,
                    },
                    separators=(",", ":"),
                )
                for column, name in enumerate(FIELDS)
            )
        )


def homes(count: int, run: str, records: int, end_s: int, key: bytes) -> list[Home]:
    """Homes that no other run has."""
    return [Home(number, run, records, end_s, key) for number in range(count)]


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), GZIP_LEVEL, mtime=0)
