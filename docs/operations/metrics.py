"""Writes docs/operations/metrics.md: every metric of every service, from its declaration.

In: the classes of `heatpool_chassis.metrics`. Out: a table. Guarantee: what a process shows is on
the page, because both come from the same place (a test compares).
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from heatpool_chassis import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).with_name("metrics.md")
HEAD: Final = """\
# Metrics

On each process' private port, `/metrics`. Written by `make dashboards` from
`chassis/heatpool_chassis/metrics.py`; no label holds an installation, an address or free text.
Beside them the store holds `heatpump_<field>{installation, model}` (readings),
`heatpump_info{installation, model, version}`, `heatpump_batch_samples{installation, model}` and
`heatpool_daily_<metric>{installation, model}` (a value a home and day).
"""


class Described(NamedTuple):
    """One metric."""

    service: str
    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def described() -> Iterator[Described]:
    """The metrics of all services."""
    for name, kind in inspect.getmembers(metrics, inspect.isclass):
        if kind.__module__ == metrics.__name__:
            for metric in vars(kind(CollectorRegistry())).values():
                if isinstance(metric, MetricWrapperBase):
                    (family,) = metric.describe()
                    suffix = "_total" if family.type == "counter" else ""
                    yield Described(
                        name.removesuffix("Metrics").lower(),
                        family.name + suffix,
                        family.type,
                        tuple(metric._labelnames),  # noqa: SLF001 - the library has no public name
                        family.documentation,
                    )


def names() -> set[str]:
    """Every name that may stand in a query."""
    found = set()
    for one in described():
        parts = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        found |= {one.name + part for part in parts}
    return found


def text() -> str:
    """The page."""
    lines = [HEAD]
    service = ""
    for one in described():
        if one.service != service:
            service = one.service
            lines += [f"\n## {service}\n", "| metric | kind | labels | meaning |"]
            lines += ["|---|---|---|---|"]
        labels, meaning = ", ".join(one.labels), one.meaning.replace("|", "/")
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
