"""The documents of the API are those of the code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest

from heatpool_contract.answers import ReceiptAnswer, SubmitAnswer
from heatpool_contract.refusals import TEXTS, Refusal
from heatpool_contract.telemetry import Submission
from heatpool_ingest import openapi

GENERATOR = Path(__file__).parent.parent.parent / "docs" / "api" / "generate.py"


def test_the_committed_documents_are_current() -> None:
    """`make api-docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    for path, content in generate.files().items():
        assert path.read_bytes() == content, f"{path.name}: run `make api-docs`"


def test_every_refusal_has_texts_in_two_languages_and_a_status() -> None:
    """One row each; nobody reads an empty one."""
    assert set(TEXTS) == set(Refusal)
    for refusal, text in TEXTS.items():
        assert text.en.endswith((".", "+ -")), refusal
        assert text.de.endswith("."), refusal
        assert 200 <= text.status < 600, refusal


@pytest.mark.parametrize(
    ("operation", "refusals"),
    [
        (("/api/v1/submit", "post"), openapi.SUBMIT_REFUSALS),
        (("/api/v1/receipt/{receipt}", "get"), openapi.RECEIPT_REFUSALS),
    ],
)
def test_every_error_of_a_route_is_in_its_document(
    operation: tuple[str, str], refusals: tuple[Refusal, ...]
) -> None:
    """With an example of its own under its own status."""
    path, method = operation
    answers = json.loads(openapi.document("0"))["paths"][path][method]["responses"]

    for refusal in refusals:
        content = answers[str(TEXTS[refusal].status)]["content"]["application/problem+json"]
        assert content["examples"][refusal]["value"]["code"] == refusal


def test_the_examples_are_what_they_say() -> None:
    """They decode as the Structs that they stand for."""
    msgspec.convert(openapi._SUBMISSION, Submission)
    msgspec.convert(openapi._STORED, SubmitAnswer)
    msgspec.convert(openapi._PARTLY, SubmitAnswer)
    msgspec.convert(openapi._RECEIPT, ReceiptAnswer)
