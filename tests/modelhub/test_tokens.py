"""Bearer tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.tokens import Tokens

FIRST, SECOND = "first-token-0123456789", "second-token-ä-0123456789"
TOKENS = Tokens((FIRST, SECOND))


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {FIRST}",
        f"bearer {FIRST}",
        f"BEARER   {FIRST} ",
        "Bearer " + SECOND.encode().decode("latin-1"),  # as servers hand over UTF-8
    ],
)
def test_each_valid_token_is_taken(header: str) -> None:
    """Several are valid during a rotation; the scheme's case does not matter."""
    TOKENS.require(header)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", FIRST, f"Basic {FIRST}", "  "])
def test_missing_or_malformed_is_401(header: str | None) -> None:
    """With the scheme that is asked for."""
    with pytest.raises(RefusedError) as caught:
        TOKENS.require(header)

    assert caught.value.refusal is Refusal.TOKEN_MISSING
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_any_other_token_is_403(token: str) -> None:
    """Whatever its letters are."""
    if token.strip() in {FIRST, SECOND.encode().decode("latin-1")}:
        return
    with pytest.raises(RefusedError) as caught:
        TOKENS.require(f"Bearer {token}")

    assert caught.value.refusal is Refusal.TOKEN_WRONG


def test_without_tokens_nobody_comes_in() -> None:
    """An operator who sets none closes the routes."""
    with pytest.raises(RefusedError, match=Refusal.TOKEN_WRONG):
        Tokens(()).require(f"Bearer {FIRST}")
