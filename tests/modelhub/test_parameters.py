"""Query strings: one spelling a value, everything else refused by name."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.publisher import HOME

from heatpool_contract.identity import installation_id, model_slug
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.parameters import QUERY_BYTES_MAX, Parameters, parse

REFUSALS = {Refusal.BAD_REQUEST, Refusal.INSTALLATION_ID_INVALID, Refusal.MODEL_INVALID}


def attempt(query: bytes) -> Parameters | Refusal:
    """What a query becomes."""
    try:
        return parse(query)
    except RefusedError as refused:
        return refused.refusal


def test_all_parameters_are_read() -> None:
    """Blanks may be `+` or `%20`; the model becomes its slug."""
    query = urlencode(
        {"installation_id": HOME, "model": "AERO SLM (6-17)", "hash": "a" * 64, "current_hash": "b"}
    )

    found = parse(query.encode())

    assert (found.installation, found.model) == (HOME, "aero_slm_6_17")
    assert (found.hash, found.current_hash) == ("a" * 64, "b")


def test_empty_parameters_are_missing_ones() -> None:
    """Loggers send `model=` and `current_hash=` before they have any."""
    found = parse(f"installation_id={HOME}&model=&current_hash=&hash=".encode())

    assert (found.model, found.hash, found.current_hash) == (None, None, None)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(query: bytes) -> None:
    """Never another exception; what comes out is canonical."""
    for given_query in (query, f"installation_id={HOME}&".encode() + query):
        found = attempt(given_query)
        if isinstance(found, Parameters):
            assert installation_id(found.installation) == found.installation
            assert found.model is None or model_slug(found.model) == found.model
        else:
            assert found in REFUSALS


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_read_or_refused(model: str, pinned: str) -> None:
    """Values that come properly encoded, whatever they are."""
    query = urlencode({"installation_id": HOME, "model": model, "hash": pinned}, errors="replace")
    found = attempt(query.encode())
    if isinstance(found, Parameters):
        assert found.model == (model_slug(model) if model else None)
        assert found.hash == (pinned or None)
    else:
        assert found in REFUSALS


@pytest.mark.parametrize("pinned", ["a" * 63, "a" * 65, "A" * 64, "a" * 63 + "\n", "../../etc"])
def test_hash_has_one_spelling(pinned: str) -> None:
    """64 lower-case hex digits and nothing beside."""
    query = urlencode({"installation_id": HOME, "hash": pinned})
    with pytest.raises(RefusedError, match=Refusal.BAD_REQUEST):
        parse(query.encode())


def test_long_queries_are_refused_at_the_limit() -> None:
    """At the limit it is read, one byte beyond it is not."""
    start = f"installation_id={HOME}&x="
    assert parse((start + "y" * (QUERY_BYTES_MAX - len(start))).encode()).installation == HOME
    with pytest.raises(RefusedError, match=Refusal.BAD_REQUEST):
        parse((start + "y" * (QUERY_BYTES_MAX - len(start) + 1)).encode())
