"""PURE: the edge's OpenAPI document, from the Structs that are decoded and encoded.

In: the contract. Out: OpenAPI 3.1 as bytes of JSON. Guarantee: schemas are generated, every error
answer carries the codes and texts of the catalogue; `docs/api/openapi.json` is this document, a
test compares them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from heatpool_contract.answers import (
    MEDIA_PROBLEM,
    Health,
    Problem,
    ReceiptAnswer,
    SubmitAnswer,
    problem,
)
from heatpool_contract.refusals import TEXTS, Refusal
from heatpool_contract.telemetry import RECORDS_PER_REQUEST_MAX, Submission

Json = dict[str, object]

_COMPONENT: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_TOKENS: Final = (Refusal.TOKEN_MISSING, Refusal.TOKEN_WRONG, Refusal.TOKEN_ATTEMPTS_TOO_MANY)
SUBMIT_REFUSALS: Final = (
    *_TOKENS,
    Refusal.BAD_REQUEST,
    Refusal.ENCODING_UNSUPPORTED,
    Refusal.BODY_CORRUPT,
    Refusal.BODY_TOO_LARGE,
    Refusal.BODY_RATIO_TOO_HIGH,
    Refusal.BODY_TOO_SLOW,
    Refusal.BODY_UNREADABLE,
    Refusal.BODY_MISSHAPEN,
    Refusal.INSTALLATION_ID_INVALID,
    Refusal.MODEL_INVALID,
    Refusal.VERSION_INVALID,
    Refusal.DATA_EMPTY,
    Refusal.RECORDS_TOO_MANY,
    Refusal.FIELDS_TOO_MANY,
    Refusal.INSTALLATION_GONE,
    Refusal.QUOTA_EXCEEDED,
    Refusal.OVERLOADED,
    Refusal.BUS_UNAVAILABLE,
    Refusal.STOPPING,
    Refusal.METHOD_NOT_ALLOWED,
)
RECEIPT_REFUSALS: Final = (
    *_TOKENS,
    Refusal.RECEIPT_INVALID,
    Refusal.NOT_FOUND,
    Refusal.BAD_REQUEST,
    Refusal.METHOD_NOT_ALLOWED,
)
_SUBMISSION: Final[Json] = {
    "installation_id": "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab",
    "heatpump_model": "AERO SLM 6-17",
    "version": "1.4.0",
    "sent_at": 1790000000.0,
    "data": [
        {"timestamp": 1789999940.0, "temp_flow": 35.5, "power_el": 1180.0, "compressor_on": True},
        {"timestamp": 1790000000.0, "temp_flow": 35.6, "power_el": 1176.5, "status_str": "heating"},
    ],
}
_STORED: Final[Json] = {
    "status": "success",
    "processed": 2,
    "rejected": 0,
    "rejections": [],
    "values_dropped": [{"reason": "value_not_numeric", "count": 1, "first_index": 1}],
    "samples": 5,
    "duplicate": False,
    "receipt": "AQAAAAAAABI0AAAAAQAAAAIAAAAAAAAAAAAAAAAAAAAA",
    "clock_skew_s": 0.2,
}
_PARTLY: Final[Json] = {
    **_STORED,
    "processed": 1,
    "rejected": 1,
    "rejections": [{"reason": "timestamp_in_future", "count": 1, "first_index": 1}],
    "values_dropped": [],
    "samples": 3,
}
_RECEIPT: Final[Json] = {
    "state": "stored",
    "records": 2,
    "messages": 1,
    "queued": 0,
    "stored": 1,
    "dead_lettered": 0,
    "reasons": [],
}


_MEMBERS: Final[Json] = {  # by hand: msgspec generates no schema for nested values of any type
    "installation_id": {
        "type": "string",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    },
    "heatpump_model": {"type": "string", "pattern": r"^[A-Za-z0-9_\-.() ]{1,64}$"},
    "version": {"type": "string", "pattern": r"^[A-Za-z0-9._+\-]{1,32}$"},
    "data": {
        "type": "array",
        "minItems": 1,
        "maxItems": RECORDS_PER_REQUEST_MAX,
        "items": {
            "type": "object",
            "description": "A time and any fields; numbers and booleans are taken.",
            "properties": {"timestamp": {"type": "number", "description": "Seconds since 1970"}},
            "additionalProperties": True,
        },
    },
    "sent_at": {
        "type": ["number", "null"],
        "description": "The logger's clock when it sent, in seconds.",
    },
}


class _Route(NamedTuple):
    """One operation."""

    summary: str
    description: str
    answer: str
    examples: dict[str, Json]
    refusals: tuple[Refusal, ...]


def document(version: str) -> bytes:
    """The document, indented, stable in its order."""
    _refs, components = msgspec.json.schema_components(
        [SubmitAnswer, ReceiptAnswer, Problem, Health], ref_template=_COMPONENT
    )
    components["Submission"] = {
        "type": "object",
        "properties": _MEMBERS,
        "required": [f.encode_name for f in msgspec.structs.fields(Submission) if f.required],
    }
    content: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "heatpool: the edge",
            "version": version,
            "description": "Loggers post readings; the pool stores each request whole or not at "
            "all. A repeat is recognised by its content.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/api/v1/submit": {"post": _submit()},
            "/api/v1/receipt/{receipt}": {"get": _receipt()},
            "/health": {"get": _health("Whether the process lives", unready=False)},
            "/health/ready": {"get": _health("Whether requests may come", unready=True)},
        },
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _submit() -> Json:
    route = _Route(
        "Submit readings of one installation",
        "Records that are not usable are left out, counted and named; the others are stored, and "
        "200 means: on disk. Bodies may be gzip, deflate or zstd. After 429 and 503 wait for "
        "`Retry-After` and say in `Retry-Attempt` how often you have tried.",
        "SubmitAnswer",
        {"all stored": _STORED, "a clock that is ahead": _PARTLY},
        SUBMIT_REFUSALS,
    )
    return {
        **_operation("submit", route),
        "parameters": [
            _header("Content-Encoding", {"type": "string", "examples": ["gzip"]}),
            _header("Retry-Attempt", {"type": "integer", "minimum": 0, "maximum": 999}),
            _header(
                "traceparent", {"type": "string", "examples": [f"00-{'4b' * 16}-{'a1' * 8}-01"]}
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": {"$ref": _COMPONENT.format(name="Submission")},
                    "examples": {"two readings": {"value": _SUBMISSION}},
                }
            },
        },
    }


def _receipt() -> Json:
    route = _Route(
        "Ask what became of a submission",
        "`queued`, `stored` (durable in the store) or `dead_lettered`.",
        "ReceiptAnswer",
        {"stored": _RECEIPT},
        RECEIPT_REFUSALS,
    )
    return {
        **_operation("receipt", route),
        "parameters": [
            {
                "name": "receipt",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
                "example": _STORED["receipt"],
            }
        ],
    }


def _operation(name: str, route: _Route) -> Json:
    answers: dict[str, Json] = {
        "200": {
            "description": "Success",
            "content": {
                _JSON: {
                    "schema": {"$ref": _COMPONENT.format(name=route.answer)},
                    "examples": {key: {"value": value} for key, value in route.examples.items()},
                }
            },
        }
    }
    for status in sorted({TEXTS[refusal].status for refusal in route.refusals}):
        answers[str(status)] = _problems(
            status, [refusal for refusal in route.refusals if TEXTS[refusal].status == status]
        )
    return {
        "operationId": name,
        "summary": route.summary,
        "description": route.description,
        "security": [{"token": []}],
        "responses": answers,
    }


def _problems(status: int, refusals: list[Refusal]) -> Json:
    answer: Json = {
        "description": "; ".join(f"`{refusal}`: {TEXTS[refusal].en}" for refusal in refusals),
        "content": {
            MEDIA_PROBLEM: {
                "schema": {"$ref": _COMPONENT.format(name="Problem")},
                "examples": {
                    str(refusal): {"value": msgspec.to_builtins(problem(refusal))}
                    for refusal in refusals
                },
            }
        },
    }
    if status in (429, 503):
        answer["headers"] = {
            "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
        }
    return answer


def _health(summary: str, *, unready: bool) -> Json:
    content = {_JSON: {"schema": {"$ref": _COMPONENT.format(name="Health")}}}
    answers: dict[str, Json] = {"200": {"description": "Yes", "content": content}}
    if unready:
        answers["503"] = {"description": "No; `checks` says why", "content": content}
    return {
        "operationId": "ready" if unready else "health",
        "summary": summary,
        "responses": answers,
    }


def _header(name: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "required": False, "schema": schema}
