"""PURE: whether the store runs with the flags that the guarantees need.

In: the store's metrics, where VictoriaMetrics shows its flags. Out: what is wrong, in words.
Guarantee: a store without a value for a flag (vminsert of a cluster) is taken as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from heatpool_contract.telemetry import RETENTION_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

WANTED: Final = {
    "retentionPeriod": f"{RETENTION_DAYS}d",  # the notice promises 12 months, on disk
    "dedup.minScrapeInterval": "1ms",  # or every redelivery would be seen twice
}
_FLAG: Final = re.compile(r'flag\{name="([^"]+)", value="([^"]*)"')


def faults(metrics: Mapping[str, float]) -> list[str]:
    """Flags that differ, each as it has to be."""
    found = {match[1]: match[2] for name in metrics if (match := _FLAG.match(name))}
    return [
        f"-{name}={wanted} (is {found[name]!r})"
        for name, wanted in WANTED.items()
        if found.get(name, wanted) != wanted
    ]
