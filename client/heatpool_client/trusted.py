"""The trust file that this logger goes by: the shipped one, or the newest it was led to.

In: the file that came with the program, successors from the hub. Out: the trust to verify with.
Guarantee: what is stored was reached by a chain in which every step was signed by its predecessor;
a damaged store falls back to the shipped file, from which the chain can be walked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_client.durable import Disk, locked, put, read_capped
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.trust import TRUST_BYTES_MAX, Trust, first, walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE: Final = "trust.json"


def believed(folder: Path, shipped: bytes) -> Trust:
    """The newer of the stored and the shipped trust file.

    Raises:
        SealRefused: `trust_*`, the shipped file is not in order; `storage`.
    """
    own = first(shipped)
    try:
        stored = first(read_capped(folder / FILE, TRUST_BYTES_MAX))
    except FileNotFoundError:
        return own
    except SealRefused as refused:
        if refused.code is Reject.STORAGE:
            raise
        return own
    return stored if stored.version > own.version else own


def advance(folder: Path, trust: Trust, steps: Sequence[bytes], disk: Disk | None = None) -> Trust:
    """Walk from `trust` through signed successors, oldest first, and keep the last.

    Raises:
        SealRefused: `trust_*`, `storage`; what was stored stays.
    """
    after = walk(trust, steps)
    if after is not trust:
        try:
            with locked(folder):
                put(disk or Disk(), folder / FILE, steps[-1])
        except OSError as error:
            raise SealRefused(Reject.STORAGE, str(error)) from error
    return after
