"""Write `errors.md` and `openapi.json` beside this file, from the contract.

In: `heatpool_contract.refusals`, `heatpool_ingest.openapi`. Out: the two files. A test compares.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final

from heatpool_contract.answers import PROBLEM_TYPE
from heatpool_contract.refusals import TEXTS, Refusal
from heatpool_ingest import openapi

FOLDER: Final = Path(__file__).parent
_OK: Final = 200
_HEAD: Final = f"""\
# Refusals

Written by `make api-docs` from `heatpool_contract.refusals`; do not edit.

Errors are problem documents (RFC 9457, `application/problem+json`) with
`type` = `{PROBLEM_TYPE}<code>`, `code`, `detail` (English), `detail_de` (German), and where
they apply `limit` and `retry_after_s`.
Codes are stable: the same word is in the answer, in the metrics' labels and on dead letters.
429 and 503 come with `Retry-After` in seconds; who tells in `Retry-Attempt` how often it has
tried is given longer times.
"""
_TABLE: Final = "\n| code | status | says | sagt |\n|---|---|---|---|\n"
_LISTED: Final = """
## In the lists of an answer 200

Under `rejections` (a record was left out) and `values_dropped` (a single value was), with the count
and the index of the first record concerned.

| code | says | sagt |
|---|---|---|
"""


def errors() -> str:
    """Text of `errors.md`."""
    by_status = sorted(Refusal, key=lambda refusal: (TEXTS[refusal].status, refusal))
    whole = [refusal for refusal in by_status if TEXTS[refusal].status != _OK]
    listed = [refusal for refusal in by_status if TEXTS[refusal].status == _OK]
    rows = [
        f"| `{refusal}` | {TEXTS[refusal].status} | {TEXTS[refusal].en} | {TEXTS[refusal].de} |\n"
        for refusal in whole
    ]
    names = [f"| `{refusal}` | {TEXTS[refusal].en} | {TEXTS[refusal].de} |\n" for refusal in listed]
    return _HEAD + _TABLE + "".join(rows) + _LISTED + "".join(names)


def files() -> dict[Path, bytes]:
    """What belongs into this folder."""
    return {
        FOLDER / "errors.md": errors().encode(),
        FOLDER / "openapi.json": openapi.document(metadata.version("heatpool-ingest")),
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_bytes(content)
