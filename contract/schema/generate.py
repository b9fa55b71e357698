"""JSON Schema of everything that travels, one file a Struct, written beside this script.

In: the contract. Out: `*.json`, committed: a change of the wire is a diff that a reviewer sees.
Run: `make schema`; `tests/contract/test_schema.py` fails while they differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

from heatpool_contract import (
    answers,
    frames,
    fresh,
    grants,
    manifest,
    overview,
    registry,
    release,
    telemetry,
)
from heatpool_contract.detector import Detector
from heatpool_contract.trust import Trust

WIRE: Final[tuple[type[msgspec.Struct], ...]] = (
    telemetry.Submission,
    answers.SubmitAnswer,
    answers.Problem,
    answers.Health,
    answers.CheckAnswer,
    answers.PoolStatus,
    answers.KeysAnswer,
    overview.PoolOverview,
    overview.Badge,
    frames.Chunk,
    frames.Frame,
    registry.Installation,
    release.ReleasePointer,
    release.TrainingReport,
    release.News,
    release.RefusedCandidates,
    release.Lease,
    release.RebuildRequest,
    release.RebuildRequested,
    manifest.Manifest,
    Trust,
    fresh.Fresh,
    grants.RegistrationRequest,
    Detector,
)


def schemas() -> dict[str, str]:
    """File name -> text."""
    return {
        f"{struct.__name__}.json": json.dumps(
            msgspec.json.schema(struct, schema_hook=_schema_hook), indent=1, sort_keys=True
        )
        + "\n"
        for struct in WIRE
    }


def _schema_hook(kind: type) -> dict[str, object]:
    """Types that JSON Schema has no word for."""
    if kind is msgspec.Raw:
        return {"description": "an encoded Frame"}
    if kind is object:
        return {"description": "anything; left out and counted"}
    raise NotImplementedError(kind)


def main() -> None:
    """Write all files; remove those of Structs that are gone."""
    folder = Path(__file__).parent
    written = schemas()
    for old in folder.glob("*.json"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
