"""Trust files: who may say what, and how the keys change hands without an update of the program."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators import publisher as pub
from simulators.publisher import NOW_S, TRUST, role, trust_file

from heatpool_contract import dsse
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.trust import (
    STEPS_MAX,
    TRUST_BYTES_MAX,
    Role,
    Trust,
    advance,
    check_current,
    first,
    sign_trust,
    walk,
)

SMALL_ORDER = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def _code(old: Trust | None, raw: bytes) -> str:
    try:
        if old is None:
            first(raw)
        else:
            advance(old, raw)
    except SealRefused as refused:
        return refused.code
    return "ok"


def _second(**changes: object) -> Trust:
    return msgspec.structs.replace(TRUST, **({"version": 2} | changes))


def test_pae_is_that_of_the_specification() -> None:
    """The published test vector of DSSE v1."""
    assert (
        dsse.pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_pae_counts_bytes_not_characters() -> None:
    """Lengths are those of the UTF-8 bytes."""
    assert dsse.pae("ü", b"") == "DSSEv1 2 ü 0 ".encode()


@given(
    st.tuples(st.text(max_size=20), st.binary(max_size=20)),
    st.tuples(st.text(max_size=20), st.binary(max_size=20)),
)
def test_pae_of_two_messages_differs(one: tuple[str, bytes], two: tuple[str, bytes]) -> None:
    """No body can be shifted into a type, or back."""
    assert (dsse.pae(*one) == dsse.pae(*two)) == (one == two)


def test_shipped_file_is_believed() -> None:
    """The file that comes with the program is read as it was written."""
    assert first(trust_file(TRUST)) == TRUST


def test_signing_with_the_library_call_gives_the_same_file() -> None:
    """The call that operators use and the simulator agree."""
    seeds = [pub.secret("root 1"), pub.secret("root 2")]

    assert sign_trust(TRUST, seeds) == trust_file(TRUST)


def test_offline_keys_sign_one_after_the_other() -> None:
    """A file signed by one root key becomes valid when the second one is added elsewhere."""
    alone = trust_file(TRUST, "root 1")
    both = dsse.co_sign(alone, dsse.TYPE_TRUST, pub.secret("root 3"))
    again = dsse.co_sign(both, dsse.TYPE_TRUST, pub.secret("root 3"))

    assert _code(None, alone) == "trust_threshold"
    assert first(both) == TRUST
    assert again == both


def test_one_root_key_twice_counts_once() -> None:
    """A threshold of two is not met by one key that signed twice."""
    assert _code(None, trust_file(TRUST, "root 1", "root 1")) == "trust_threshold"


def test_release_keys_sign_no_trust_file() -> None:
    """Only root keys count."""
    assert _code(None, trust_file(TRUST, "root 1", "release 1")) == "trust_threshold"


def test_three_rotations_in_a_row() -> None:
    """Every root key is replaced, one at a time, and a client that slept through it follows."""
    steps = []
    names = ["root 1", "root 2", "root 3"]
    for version in (2, 3, 4):
        before = tuple(names)
        names = [*names[1:], f"root {version + 2}"]
        new = _second(version=version, root=role(*names, threshold=2))
        steps.append(trust_file(new, *sorted({*before, *names})))

    assert walk(TRUST, steps).root == role("root 4", "root 5", "root 6", threshold=2)


def test_release_key_is_revoked_by_rotation() -> None:
    """The successor names another release key and another timestamp key."""
    new = _second(release=role("release 2"), timestamp=role("timestamp 2"), epoch=2)

    assert advance(TRUST, trust_file(new)) == new


@pytest.mark.parametrize("version", [1, 3, 2**53 - 1])
def test_versions_are_not_skipped_or_repeated(version: int) -> None:
    """Only exactly N+1 follows N."""
    assert _code(TRUST, trust_file(_second(version=version))) == "trust_version"


def test_skip_inside_a_chain_is_refused() -> None:
    """A chain with a missing link leads nowhere."""
    steps = [trust_file(_second(version=version)) for version in (2, 4)]
    with pytest.raises(SealRefused) as refused:
        walk(TRUST, steps)

    assert refused.value.code is Reject.TRUST_VERSION


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        (("root 1", "root 2", "new 1", "new 2"), "ok"),
        (("new 1", "new 2"), "trust_threshold"),
        (("root 1", "root 2"), "trust_threshold"),
        (("root 1", "new 1", "new 2"), "trust_threshold"),
        (("root 1", "root 2", "new 1"), "trust_threshold"),
    ],
    ids=["both", "new only", "old only", "too few old", "too few new"],
)
def test_rotation_needs_old_and_new_keys(signers: tuple[str, ...], code: str) -> None:
    """Neither the owner of the new keys nor that of the old ones can go alone."""
    new = _second(root=role("new 1", "new 2", "new 3", threshold=2))

    assert _code(TRUST, trust_file(new, *signers)) == code


@pytest.mark.parametrize(
    ("epoch", "code"), [(2, "trust_epoch"), (3, "ok"), (4, "ok"), (5, "trust_epoch")]
)
def test_epoch_stays_or_moves_by_one(epoch: int, code: str) -> None:
    """An epoch neither goes back, which would undo a recovery, nor runs away."""
    old = msgspec.structs.replace(TRUST, epoch=3)

    assert _code(old, trust_file(_second(epoch=epoch))) == code


def test_expired_step_is_passed_through_and_expired_end_is_not() -> None:
    """A client that slept for years walks through expired files; only the last must be valid."""
    steps = [trust_file(_second(expires_s=NOW_S - 1)), trust_file(_second(version=3))]
    end = walk(TRUST, steps)

    check_current(end, NOW_S)
    with pytest.raises(SealRefused) as refused:
        check_current(end, end.expires_s)
    assert refused.value.code is Reject.TRUST_EXPIRED


def test_endless_chain_ends() -> None:
    """More steps than a client walks are refused before the first is looked at."""
    with pytest.raises(SealRefused) as refused:
        walk(TRUST, [b"never read"] * (STEPS_MAX + 1))

    assert refused.value.code is Reject.TRUST_STEPS


def test_large_file_is_refused_unread() -> None:
    """A trust file is at most 64 KiB."""
    assert _code(TRUST, b" " * (TRUST_BYTES_MAX + 1)) == "trust_size"


def test_envelope_of_another_type_is_no_trust_file() -> None:
    """A freshness statement or a manifest with the same body and good signatures is refused."""
    body = msgspec.json.encode(TRUST)
    for payload_type in (dsse.TYPE_MODEL_FRESH, dsse.TYPE_MODEL_MANIFEST):
        raw = dsse.wrap(payload_type, body, [pub.secret("root 1"), pub.secret("root 2")])
        renamed = raw.replace(payload_type.encode(), dsse.TYPE_TRUST.encode())

        assert _code(None, raw) == "trust_malformed"
        assert _code(None, renamed) == "trust_threshold"


def test_unsigned_successor_is_not_parsed() -> None:
    """The old keys are asked before the body is read: rubbish from strangers is a threshold."""
    raw = dsse.wrap(dsse.TYPE_TRUST, b"rubbish", [pub.secret("stranger")])

    assert _code(TRUST, raw) == "trust_threshold"


@pytest.mark.parametrize(
    "body",
    [
        b"rubbish",
        b"{}",
        msgspec.json.encode(TRUST).replace(b"heatpool-trust/1", b"heatpool-trust/2"),
        msgspec.json.encode(TRUST)[:-1] + b',"mirror":1}',
        msgspec.json.encode(TRUST).replace(b'"threshold":2', b'"threshold":4'),
        msgspec.json.encode(TRUST).replace(b'"threshold":2', b'"threshold":0'),
    ],
    ids=["rubbish", "empty", "format", "unknown field", "unreachable", "threshold zero"],
)
def test_malformed_body_is_refused(body: bytes) -> None:
    """Even signed by enough root keys, a body must be a trust file of this format."""
    raw = dsse.wrap(dsse.TYPE_TRUST, body, [pub.secret("root 1"), pub.secret("root 2")])

    assert _code(None, raw) == "trust_malformed"
    assert _code(TRUST, raw) == "trust_malformed"


@given(st.binary(max_size=500))
def test_any_bytes_are_refused(raw: bytes) -> None:
    """Arbitrary bytes are no trust file, and no other exception either."""
    assert _code(None, raw) == _code(TRUST, raw) == "trust_malformed"


@pytest.mark.parametrize(
    "key", [bytes(32), b"\x01" + bytes(31), SMALL_ORDER], ids=["zero", "one", "order 8"]
)
def test_weak_keys_have_no_role(key: bytes) -> None:
    """A key for which anybody can sign is refused."""
    with pytest.raises(ValueError, match="prime-order"):
        Role((key,))


def test_a_key_has_one_role() -> None:
    """The online timestamp key must not be a release key, by mistake or otherwise."""
    with pytest.raises(ValueError, match="two roles"):
        msgspec.structs.replace(TRUST, timestamp=role("release 1"))


def test_a_key_is_named_once() -> None:
    """The same key twice would meet a threshold of two alone."""
    with pytest.raises(ValueError, match="key twice"):
        role("release 1", "release 1", threshold=2)
