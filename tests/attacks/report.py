"""`make attacks`: run every test of the table, print the table with what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from attacks.table import ROWS

if TYPE_CHECKING:
    from attacks.table import Row

WIDTH = 110


class Outcomes:
    """A plugin of pytest that remembers how each test ended."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.passed: dict[str, int] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test under its function and under its parametrised name."""
        for name in {report.nodeid, report.nodeid.partition("[")[0]}:
            if report.failed or report.skipped:
                self.failed.add(name)
            elif report.when == "call":
                self.passed[name] = self.passed.get(name, 0) + 1


def verdict(row: Row, outcomes: Outcomes) -> str:
    """What is printed of a row."""
    if not row.tests:
        return "-"
    if any(name in outcomes.failed or name not in outcomes.passed for name in row.tests):
        return "FAILED"
    return f"held ({sum(outcomes.passed[name] for name in row.tests)})"


def main() -> None:
    """Exit status 1 unless every row that has tests held."""
    outcomes = Outcomes()
    names = sorted({name for row in ROWS for name in row.tests})
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *names], plugins=[outcomes])
    print(f"\n{'row':>3}  {'where':8} {'attack':46} {'expected':40} result (cases)")
    print("-" * WIDTH)
    for row in ROWS:
        result = verdict(row, outcomes)
        print(f"{row.number:>3}  {row.where:8} {row.attack:46} {row.expected:40} {result}")
    held = sum(verdict(row, outcomes).startswith("held") for row in ROWS)
    print(f"{held} of {len(ROWS)} rows held, {sum(not row.tests for row in ROWS)} without test")
    sys.exit(any(verdict(row, outcomes) == "FAILED" for row in ROWS))


if __name__ == "__main__":
    main()
