"""Every error has a text in two languages and a documented exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

import heatpool_client
from heatpool_client.faults import TEXTS, ClientError, Exit, Fault, Words

FACTS = ("a", "b", Words("see", "siehe"), "d")


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_speaks_two_languages(fault: Fault) -> None:
    """Both texts are whole sentences that fill in the same facts."""
    error = ClientError(fault, *FACTS)
    english, german = error.text("en"), error.text("de")
    assert str(error) == english != german
    assert "{" not in english + german
    text = TEXTS[fault]
    used = [{i for i in range(4) if "{" + str(i) in template} for template in text[1:]]
    assert used[0] == used[1]
    assert error.exit not in (Exit.OK, Exit.BUG, Exit.USAGE)


def test_words_follow_the_language() -> None:
    """A fact may itself be a text."""
    error = ClientError(Fault.REFUSED, 403, "token_wrong", Words("Wrong.", "Falsch."))
    assert error.text("en").endswith("Wrong.")
    assert error.text("de").endswith("Falsch.")


def test_the_readme_documents_every_exit_status() -> None:
    """Scripts rely on them."""
    readme = Path(heatpool_client.__file__).parent.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    for status in Exit:
        assert f"| {status.value} |" in text
