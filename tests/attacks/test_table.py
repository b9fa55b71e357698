"""The attack table names tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from attacks.table import ROWS, Row

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"attack_{row.number:02}")
def test_row_names_tests_that_exist(row: Row) -> None:
    """A renamed test must not leave a row that nobody tries."""
    for name in row.tests:
        file, _, function = name.partition("[")[0].partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        found = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert function in found, name
    assert row.tests or "no test here" in row.expected


def test_numbers_are_unique_and_in_order() -> None:
    """A row is cited by its number."""
    numbers = [row.number for row in ROWS]

    assert numbers == sorted(set(numbers))
