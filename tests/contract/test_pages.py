"""What both pages share: catalogue, language, template, assets."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heatpool_contract.pages import (
    ASSETS,
    LANGUAGES,
    MissingTextError,
    catalogue,
    chosen,
    page,
)
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from heatpool_contract.pages import Language

ROOT = Path(__file__).parent.parent.parent
PAGES = files("heatpool_contract.pages")
GAP = re.compile(r"\{(\w+)\}")


def words(language: Language) -> dict[str, str]:
    """The catalogue of a language, as it is shipped."""
    return catalogue(language, (PAGES / "texts" / f"{language}.json").read_bytes())


def test_both_languages_have_the_same_keys_and_gaps() -> None:
    """No text is missing in one language, and none loses a value."""
    german, english = words("de"), words("en")

    assert german.keys() == english.keys()
    assert {
        key for key in german if set(GAP.findall(german[key])) != set(GAP.findall(english[key]))
    } == set()
    assert "" not in {*german.values(), *english.values()}


def test_the_catalogue_holds_the_messages_of_the_api() -> None:
    """A refusal reads the same on a page and in an answer."""
    assert all(f"refusal.{code}" in words(language) for code in Refusal for language in LANGUAGES)


def test_a_page_names_only_texts_that_are_there() -> None:
    """A template's text comes in escaped; a key without a text is an error."""
    assert (
        page("<p lang={{lang}}>{{a.b}}</p>", "de", {"a.b": "<&>"}) == "<p lang=de>&lt;&amp;&gt;</p>"
    )
    with pytest.raises(MissingTextError, match=r"a\.c"):
        page("{{a.c}}", "de", {"a.b": "x"})


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        (None, "de-DE,de;q=0.9,en;q=0.8", "de"),
        (None, "en-GB,de;q=0.5", "en"),
        (None, "fr,de;q=0.3,en;q=0.9", "en"),
        (None, "de;q=0,en;q=0.1", "en"),
        (None, "fr", "en"),
        (None, "", "en"),
        (None, ";q=x,,de;q=y" + "," * 5000, "en"),
        ("de", "en", "de"),
        ("xx", "de", "de"),
    ],
)
def test_the_language_is_the_addresss_then_the_browsers(
    query: str | None, accept: str, expected: str
) -> None:
    """What was chosen wins over what the browser prefers, and odd headers do no harm."""
    assert chosen(query, accept) == expected


def test_every_asset_is_shipped_and_small() -> None:
    """All of them together, before compression, leave room for a page in 300 KB."""
    sizes = {name: len((PAGES / name).read_bytes()) for name in ASSETS}

    assert min(sizes.values()) > 0
    assert sum(sizes.values()) < 150_000


def test_shared_scripts_ask_for_texts_that_are_there() -> None:
    """Every `t("key")` of the shared scripts has a text."""
    asked = {
        key
        for name in ASSETS
        for key in re.findall(r"""\bt\("([a-z0-9_.]+)\"""", (PAGES / name).read_text("utf-8"))
    }

    assert asked
    assert asked - words("en").keys() == set()


def test_the_chart_library_is_the_one_that_the_lock_pins() -> None:
    """What is served is byte for byte what npm verified."""
    if shutil.which("node") is None or not (ROOT / "web" / "node_modules").is_dir():
        pytest.skip("npm's packages are not installed (make web)")

    done = subprocess.run(["node", "vendor.mjs", "--check"], cwd=ROOT / "web", check=False)

    assert done.returncode == 0
