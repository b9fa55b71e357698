"""The payload of a release: what it encodes to, and every reason not to believe one."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.small_detector import HEIGHT, TREES, WINDOW, small

from heatpool_contract import detector_checks
from heatpool_contract.detector import Detector, decode, encode
from heatpool_contract.detector_checks import Malformation, MalformedDetector

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = small()
RAW = encode(SOUND)


def test_decode_gives_back_what_was_encoded() -> None:
    """A payload survives the way through bytes, arrays included."""
    assert decode(RAW) == SOUND


def test_equal_detectors_give_equal_bytes() -> None:
    """A release is only published when its bytes changed, so they must not change by themselves."""
    assert encode(small()) == RAW


def _mode(detector: Detector, **changes: object) -> Detector:
    mode = msgspec.structs.replace(detector.modes[1], **changes)
    return msgspec.structs.replace(detector, modes=(detector.modes[0], mode))


def _channel(detector: Detector, **changes: object) -> Detector:
    channel = msgspec.structs.replace(detector.modes[1].channels[0], **changes)
    return _mode(detector, channels=(channel, detector.modes[1].channels[1]))


def _target(detector: Detector, **changes: object) -> Detector:
    targets = detector.modes[1].targets
    return _mode(detector, targets=(msgspec.structs.replace(targets[0], **changes), *targets[1:]))


def _field(detector: Detector, **changes: object) -> Detector:
    first = msgspec.structs.replace(detector.fields[0], **changes)
    return msgspec.structs.replace(detector, fields=(first, *detector.fields[1:]))


def _structure(detector: Detector, **changes: object) -> Detector:
    first = msgspec.structs.replace(detector.structures[0], **changes)
    return msgspec.structs.replace(detector, structures=(first, *detector.structures[1:]))


def _forest(detector: Detector, **changes: object) -> Detector:
    forests = detector.modes[1].channels[0].forests
    return _channel(detector, forests=(msgspec.structs.replace(forests[0], **changes), forests[1]))


def _thresholds(value: float) -> bytes:
    changed = array("d", SOUND.structures[0].threshold)
    changed[7] = value
    return changed.tobytes()


def _masses(**nodes: int) -> bytes:
    changed = array("I", SOUND.modes[1].channels[0].forests[0].r_mass)
    for node, value in nodes.items():
        changed[int(node[1:])] = value
    return changed.tobytes()


def _doubled(detector: Detector) -> Detector:
    channels = detector.modes[1].channels
    return _mode(detector, channels=(channels[0], channels[0]))


FLAWS: list[tuple[str, Malformation, Callable[[Detector], Detector]]] = [
    (
        "other engine",
        Malformation.ENGINE,
        lambda d: msgspec.structs.replace(d, engine="river-hst/2"),
    ),
    ("threshold is NaN", Malformation.NOT_FINITE, lambda d: _channel(d, threshold=math.nan)),
    (
        "infinite limit",
        Malformation.NOT_FINITE,
        lambda d: _field(d, high=math.inf),
    ),
    (
        "infinite coefficient",
        Malformation.NOT_FINITE,
        lambda d: _target(d, coefficients=(math.inf,) * 6),
    ),
    ("limits inverted", Malformation.RANGE, lambda d: _field(d, low=20.0)),
    ("field twice", Malformation.NAME_TWICE, lambda d: _field(d, name="hertz")),
    (
        "derived from nothing",
        Malformation.UNKNOWN_FIELD,
        lambda d: msgspec.structs.replace(
            d, derived=(msgspec.structs.replace(d.derived[0], right="nothing"),)
        ),
    ),
    ("unknown target", Malformation.UNKNOWN_FIELD, lambda d: _target(d, field="a_ghost")),
    ("mode twice", Malformation.NAME_TWICE, lambda d: _mode(d, name="defrost")),
    ("channel twice", Malformation.NAME_TWICE, _doubled),
    (
        "targets not sorted",
        Malformation.NAME_TWICE,
        lambda d: _mode(d, targets=d.modes[1].targets[::-1]),
    ),
    ("term of no conditioner", Malformation.TERM, lambda d: _mode(d, terms=((2, -1),) * 6)),
    ("term turned round", Malformation.TERM, lambda d: _mode(d, terms=((-1, 0),) * 6)),
    (
        "coefficient missing",
        Malformation.VECTOR_LENGTH,
        lambda d: _target(d, coefficients=(1.0,)),
    ),
    ("no home penalty", Malformation.VECTOR_LENGTH, lambda d: _target(d, home_penalty=())),
    ("penalty of zero", Malformation.SCALE, lambda d: _target(d, home_penalty=(0.0,) * 6)),
    ("usual range inverted", Malformation.RANGE, lambda d: _target(d, usual=(3.0, 2.0, 1.0))),
    ("minimum above mean", Malformation.RANGE, lambda d: _mode(d, mean_readings_min=21)),
    ("centre too short", Malformation.VECTOR_LENGTH, lambda d: _channel(d, centre=(0.0, 0.0))),
    ("whitening cut", Malformation.VECTOR_LENGTH, lambda d: _channel(d, whitening=(1.0,) * 8)),
    ("scale of zero", Malformation.SCALE, lambda d: _channel(d, scale=(1.0, 0.0, 1.0))),
    ("no squash", Malformation.SCALE, lambda d: _channel(d, squash=0.0)),
    ("whitening blind", Malformation.SCALE, lambda d: _channel(d, whitening=(0.0,) * 9)),
    ("201 trees", Malformation.TREES, lambda d: _structure(d, trees=201)),
    ("height 11", Malformation.HEIGHT, lambda d: _structure(d, height=11)),
    ("feature cut", Malformation.ARRAY_LENGTH, lambda d: _structure(d, feature=b"\0")),
    (
        "thresholds cut",
        Malformation.ARRAY_LENGTH,
        lambda d: _structure(d, threshold=d.structures[0].threshold[:-1]),
    ),
    ("feature of another", Malformation.FEATURE_INDEX, lambda d: _structure(d, features=2)),
    ("65 features", Malformation.FEATURE_INDEX, lambda d: _structure(d, features=65)),
    (
        "forest of other features",
        Malformation.FEATURE_INDEX,
        lambda d: _structure(d, features=4),
    ),
    ("split is NaN", Malformation.SPLIT, lambda d: _structure(d, threshold=_thresholds(math.nan))),
    ("split outside", Malformation.SPLIT, lambda d: _structure(d, threshold=_thresholds(1.5))),
    ("no such structure", Malformation.STRUCTURE_INDEX, lambda d: _forest(d, structure=9)),
    ("masses cut", Malformation.ARRAY_LENGTH, lambda d: _forest(d, r_mass=b"\0\0\0\0")),
    (
        "mass above window",
        Malformation.MASS_ABOVE_WINDOW,
        lambda d: _forest(d, r_mass=_masses(n3=WINDOW + 1)),
    ),
    ("root mass", Malformation.MASS_ROOT, lambda d: _forest(d, window_size=WINDOW + 1)),
    (
        "roots of l_mass differ",
        Malformation.MASS_ROOT,
        lambda d: _forest(d, l_mass=array("I", [1] + [0] * (TREES * 63 - 1)).tobytes()),
    ),
    ("mass of children", Malformation.MASS_SUM, lambda d: _forest(d, r_mass=_masses(n62=7))),
    (
        "rarity not rising",
        Malformation.RARITY_ORDER,
        lambda d: _channel(d, rarity=d.modes[1].channels[0].rarity[::-1]),
    ),
    (
        "channel without self-test",
        Malformation.SELF_TEST,
        lambda d: msgspec.structs.replace(d, self_tests=d.self_tests[:1]),
    ),
    (
        "31 self-tests",
        Malformation.SELF_TEST,
        lambda d: msgspec.structs.replace(
            d,
            self_tests=(
                msgspec.structs.replace(d.self_tests[0], scores=d.self_tests[0].scores[:-8]),
                d.self_tests[1],
            ),
        ),
    ),
    (
        "self-test of no channel",
        Malformation.SELF_TEST,
        lambda d: msgspec.structs.replace(
            d,
            self_tests=(msgspec.structs.replace(d.self_tests[0], mode="x"), d.self_tests[1]),
        ),
    ),
    ("label too long", Malformation.SHAPE, lambda d: _field(d, label_en="x" * 121)),
    ("no forest", Malformation.SHAPE, lambda d: _channel(d, forests=())),
    ("negative duration", Malformation.SHAPE, lambda d: _channel(d, debounce_ms=-1)),
]


@pytest.mark.parametrize(
    ("code", "spoil"), [flaw[1:] for flaw in FLAWS], ids=[flaw[0] for flaw in FLAWS]
)
def test_one_flaw_is_refused_with_its_code(
    code: Malformation, spoil: Callable[[Detector], Detector]
) -> None:
    """Every check has a payload that fails it alone."""
    with pytest.raises(MalformedDetector) as refusal:
        decode(encode(spoil(SOUND)))

    assert refusal.value.code == code


def test_every_code_has_its_flaw() -> None:
    """A new check comes with a payload that fails it."""
    elsewhere = {Malformation.TOO_LARGE, Malformation.NOT_MSGPACK, Malformation.NODES}
    elsewhere |= {Malformation.CYCLE, Malformation.RULE}  # test_beside_checks

    assert {flaw[1] for flaw in FLAWS} | elsewhere == set(Malformation)


def test_too_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The masses of the whole payload are bounded, not only those of a forest."""
    nodes = 4 * TREES * (2 ** (HEIGHT + 1) - 1)
    monkeypatch.setattr(detector_checks, "NODES_MAX", nodes)
    decode(RAW)
    monkeypatch.setattr(detector_checks, "NODES_MAX", nodes - 1)

    with pytest.raises(MalformedDetector) as refusal:
        decode(RAW)

    assert refusal.value.code == Malformation.NODES


def test_masses_whose_sums_would_round_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are exact only while the sum over a forest fits into a double."""
    monkeypatch.setattr(detector_checks, "EXACT", TREES * (2 ** (HEIGHT + 1) - 1) * WINDOW)

    with pytest.raises(MalformedDetector) as refusal:
        decode(RAW)

    assert refusal.value.code == Malformation.MASS_ABOVE_WINDOW


def test_an_oversized_payload_is_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap comes first: a decoder must not be fed what no client may hold."""
    monkeypatch.setattr(detector_checks, "RAW_BYTES_MAX", len(RAW) - 1)

    with pytest.raises(MalformedDetector) as refusal:
        decode(RAW)

    assert refusal.value.code == Malformation.TOO_LARGE


def test_unknown_keys_are_refused() -> None:
    """A signed payload has no loose ends that a later client might read."""
    loose = msgspec.msgpack.decode(RAW)
    loose["surprise"] = 1

    with pytest.raises(MalformedDetector) as refusal:
        decode(msgspec.msgpack.encode(loose))

    assert refusal.value.code == Malformation.SHAPE


@given(cut=st.integers(0, len(RAW) - 1))
@settings(max_examples=50)
def test_a_truncated_payload_is_not_msgpack(cut: int) -> None:
    """No prefix of a payload is one."""
    with pytest.raises(MalformedDetector) as refusal:
        decode(RAW[:cut])

    assert refusal.value.code == Malformation.NOT_MSGPACK


@given(place=st.integers(0, len(RAW) - 1), byte=st.integers(0, 255))
@settings(max_examples=300)
def test_any_changed_byte_is_refused_or_still_sound(place: int, byte: int) -> None:
    """Hostile bytes end in a verdict, never in another exception."""
    changed = RAW[:place] + bytes([byte]) + RAW[place + 1 :]
    verdict: Detector | Malformation
    try:
        verdict = decode(changed)
    except MalformedDetector as refusal:
        verdict = refusal.code

    assert isinstance(verdict, Malformation) or decode(encode(verdict)) == verdict
