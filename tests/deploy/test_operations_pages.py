"""The pages for operators name commands, options, units and pages that exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from heatpool_deploy.__main__ import main

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted((ROOT / "docs").glob("operations/*.md")), ROOT / "docs" / "storage.md"]
COMMAND = re.compile(r"heatpoolctl ((?:[a-z]+ )*[a-z]+[^`\n#]*)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    """`heatpoolctl a b --option` is looked up in the program itself."""
    for text in COMMAND.findall(page.read_text("utf-8")):
        words = text.split()
        command: click.Command = main
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}

        assert command is not main, f"{page.name}: {text}"
        assert not isinstance(command, click.Group) or not words, f"{page.name}: {text}"
        assert {word for word in words if word.startswith("--")} <= options, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """Relative links, from where the page lies."""
    broken = [
        target
        for target in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
