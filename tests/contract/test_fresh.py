"""Freshness: a withheld release is noticed, and the online key can do nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub
from simulators.publisher import DAY_S, MODEL, NOW_S, TRUST, release

from heatpool_contract import dsse
from heatpool_contract.fresh import (
    FRESH_BYTES_MAX,
    STALE_S,
    Fresh,
    bounded_now,
    is_stale,
    sign_fresh,
    verify_fresh,
)
from heatpool_contract.rejects import SealRefused
from heatpool_contract.sealed import Floor

if TYPE_CHECKING:
    from heatpool_contract.trust import Trust

GOOD = release()
STATEMENT = GOOD.fresh()


def _code(
    raw: bytes, *, floor: Floor | None = None, trust: Trust = TRUST, now_s: int = NOW_S
) -> str:
    try:
        verify_fresh(raw, MODEL, floor, trust, now_s)
    except SealRefused as refused:
        return refused.code
    return "ok"


def test_statement_names_the_current_release() -> None:
    """A good statement is read as it was written, by the library call too."""
    fresh = verify_fresh(STATEMENT, MODEL, Floor(1, 7), TRUST, NOW_S)

    assert fresh.model_hash == GOOD.model_hash
    assert sign_fresh(fresh, pub.secret("timestamp 1")) == STATEMENT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "terra_sw_11"}, "fresh_wrong_model"),
        ({"expires_s": NOW_S}, "fresh_expired"),
        ({"expires_s": NOW_S + 1}, "ok"),
        ({"issued_s": NOW_S - 3600, "expires_s": NOW_S + 47 * 3600}, "ok"),
        ({"issued_s": NOW_S - 3600, "expires_s": NOW_S + 47 * 3600 + 1}, "fresh_lifetime"),
        ({"issued_s": NOW_S + 60, "expires_s": NOW_S + 60}, "fresh_lifetime"),
        ({"issued_s": NOW_S + DAY_S, "expires_s": NOW_S + 2 * DAY_S}, "ok"),
        ({"issued_s": NOW_S + DAY_S + 1, "expires_s": NOW_S + 2 * DAY_S}, "fresh_in_future"),
        ({"seq": 6}, "fresh_rollback"),
        ({"seq": 8}, "ok"),
        ({"epoch": 2}, "fresh_rollback"),
        ({"seq": 0}, "fresh_malformed"),
        ({"model_hash": "x"}, "fresh_malformed"),
    ],
)
def test_statement_is_held_against_what_is_known(changes: dict[str, object], code: str) -> None:
    """Model, age and order are checked, each with its boundary."""
    assert _code(GOOD.fresh(**changes), floor=Floor(1, 7)) == code


def test_statement_under_an_expired_trust_file_is_refused() -> None:
    """Whoever the keys belong to now, the file does not say any more."""
    trust = msgspec.structs.replace(TRUST, expires_s=NOW_S)

    assert _code(STATEMENT, trust=trust) == "trust_expired"


def test_rotated_timestamp_key_says_nothing_more() -> None:
    """Statements of a retired key are refused."""
    trust = msgspec.structs.replace(TRUST, timestamp=pub.role("timestamp 2"))

    assert _code(STATEMENT, trust=trust) == "fresh_threshold"


@pytest.mark.parametrize("name", ["release 1", "root 1", "stranger"])
def test_only_the_timestamp_key_signs(name: str) -> None:
    """No other role vouches for freshness."""
    body = dsse.unwrap(STATEMENT, dsse.TYPE_MODEL_FRESH, FRESH_BYTES_MAX).payload
    raw = dsse.wrap(dsse.TYPE_MODEL_FRESH, body, [pub.secret(name)])

    assert _code(raw) == "fresh_threshold"


@pytest.mark.parametrize("payload_type", [dsse.TYPE_MODEL_MANIFEST, dsse.TYPE_TRUST])
def test_signature_of_another_type_is_none(payload_type: str) -> None:
    """The same bytes signed as a manifest or a trust file are no statement."""
    body = dsse.unwrap(STATEMENT, dsse.TYPE_MODEL_FRESH, FRESH_BYTES_MAX).payload
    raw = dsse.wrap(payload_type, body, [pub.secret("timestamp 1")])

    assert _code(raw) == "fresh_malformed"
    assert (
        _code(raw.replace(payload_type.encode(), dsse.TYPE_MODEL_FRESH.encode()))
        == "fresh_threshold"
    )


@given(st.binary(max_size=500))
def test_any_bytes_are_refused(raw: bytes) -> None:
    """Arbitrary bytes are no statement, and no other exception either."""
    assert _code(raw) == "fresh_malformed"


def test_long_statement_is_refused_unread() -> None:
    """White space around a good statement does not buy parsing time."""
    assert _code(STATEMENT + b" " * FRESH_BYTES_MAX) == "fresh_malformed"


def test_unknown_field_is_refused() -> None:
    """Signed statements say exactly what is agreed."""
    body = dsse.unwrap(STATEMENT, dsse.TYPE_MODEL_FRESH, FRESH_BYTES_MAX).payload
    raw = dsse.wrap(dsse.TYPE_MODEL_FRESH, body[:-1] + b',"mirror":1}', [pub.secret("timestamp 1")])

    assert _code(raw) == "fresh_malformed"


@pytest.mark.parametrize(
    ("issued_s", "stale"),
    [(None, True), (NOW_S, False), (NOW_S - STALE_S, False), (NOW_S - STALE_S - 1, True)],
)
def test_a_week_without_statement_is_stale(issued_s: int | None, stale: bool) -> None:  # noqa: FBT001 - parameter of a table
    """A week is still fresh, a second more is not."""
    assert is_stale(issued_s, NOW_S) is stale


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.none() | st.integers(0, 2**40))
def test_time_never_runs_before_what_is_known(
    system_s: int, built_s: int, issued_s: int | None
) -> None:
    """A logger without a clock goes by the latest time that it has evidence of."""
    now_s = bounded_now(system_s, built_s, issued_s)

    assert now_s in {system_s, built_s, issued_s}
    assert now_s >= max(system_s, built_s)


def test_statement_has_the_decided_fields() -> None:
    """The names of the format."""
    names = [field.encode_name for field in msgspec.structs.fields(Fresh)]

    assert names == ["model", "epoch", "seq", "model_hash", "issued", "expires"]
