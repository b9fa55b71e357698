"""The table of retention in docs/privacy names things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "privacy" / "README.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## How long")[2].partition("\n## ")[0].splitlines()
    if line.startswith("|") and "::" in line
]
SOURCES = [
    path.read_text("utf-8")
    for folder in ("chassis", "contract", "services", "client", "deploy")
    for path in (ROOT / folder).rglob("*")
    if path.suffix == ".py" or path.name == "Procfile"
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_line_names_what_makes_it_so_and_the_test_that_shows_it(row: list[str]) -> None:
    """A setting, constant or module that is in the code, and a test that is in its file."""
    _what, _where, how_long, by, shown_by = row
    path, _, name = shown_by.strip("`").partition("::")

    assert how_long
    assert (ROOT / by.strip("`")).is_file() or any(by.strip("`") in text for text in SOURCES)
    assert re.search(rf"def {name}\b", (ROOT / path).read_text("utf-8"))


def test_both_notices_say_the_same_periods() -> None:
    """Hours, months, homes and articles are the same in both languages."""
    numbers = [
        re.findall(r"\d+", (ROOT / "docs" / "privacy" / f"notice.{tongue}.md").read_text("utf-8"))
        for tongue in ("en", "de")
    ]

    assert numbers[0] == numbers[1]
    assert len(ROWS) == 16
