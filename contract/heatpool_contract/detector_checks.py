"""What makes a decoded payload believable: every check of meaning, each with its code.

In: a `Detector` whose shape msgspec has checked. Out: nothing, or `MalformedDetector`. Guaranteed:
no number in a checked detector can make the scorer read outside of an array, divide by zero or run
out of memory. The sums of the masses hold by construction (every vector ends in exactly one leaf),
so they also catch a mixed-up array whose length happens to fit.
"""

from __future__ import annotations

import sys
from array import array
from enum import StrEnum
from itertools import chain
from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatpool_contract.detector import Channel, Detector, Forest, Mode, Structure

ENGINE: Final = "river-hst/1"
"""Trees of `river.anomaly.HalfSpaceTrees` 0.26, masses of one window, scored as river scores."""

RAW_BYTES_MAX: Final = 64 * 1024 * 1024  # the container inflates no more either
FEATURES_MAX: Final = 64  # of a channel; also keeps a feature index within one byte
TREES_MAX: Final = 200  # of a forest
HEIGHT_MAX: Final = 10  # 2,047 nodes a tree
HEIGHT_OPT_IN_MAX: Final = 15  # 65,535 nodes a tree: not for a Raspberry Pi, hence opt-in
NODES_MAX: Final = 2_000_000  # masses of the whole payload, 8 MB
SELF_TESTS_MIN: Final = 32  # vectors that a channel must reproduce before a client activates it
_F8: Final = 8
_U4: Final = 4
EXACT: Final = 2**53


class Malformation(StrEnum):
    """Which check failed; the code a client keeps as its reason."""

    TOO_LARGE = "too_large"
    NOT_MSGPACK = "not_msgpack"
    SHAPE = "shape"  # a key, type, count, text or duration outside of its limits
    ENGINE = "engine"
    NOT_FINITE = "not_finite"
    NAME_TWICE = "name_twice"
    UNKNOWN_FIELD = "unknown_field"
    RANGE = "range"  # low not below high, minimum above maximum
    TERM = "term"  # points outside of the conditioners
    VECTOR_LENGTH = "vector_length"
    SCALE = "scale"  # not above zero
    TREES = "trees"
    HEIGHT = "height"
    NODES = "nodes"
    ARRAY_LENGTH = "array_length"
    FEATURE_INDEX = "feature_index"
    SPLIT = "split"  # a tree's threshold outside of [0, 1]
    STRUCTURE_INDEX = "structure_index"
    MASS_ABOVE_WINDOW = "mass_above_window"
    MASS_ROOT = "mass_root"
    MASS_SUM = "mass_sum"
    RARITY_ORDER = "rarity_order"
    SELF_TEST = "self_test"  # too few, or none for a channel
    CYCLE = "cycle"  # the channel of the days is incomplete
    RULE = "rule"  # a hard rule is incomplete


class MalformedDetector(Exception):  # noqa: N818 - a verdict about a file, as SealRefused is
    """The payload is no detector; `code` says which check failed, `detail` where."""

    def __init__(self, code: Malformation, detail: str = "") -> None:
        """Keep the code for programs and the place for people."""
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


def check(detector: Detector, height_max: int) -> None:
    """Hold a decoded detector against every rule.

    Raises:
        MalformedDetector: with the code of the first check that failed.
    """
    require(detector.engine == ENGINE, Malformation.ENGINE, detector.engine)
    _check_finite(detector)
    known = _check_fields(detector)
    for structure in detector.structures:
        _check_structure(structure, min(height_max, HEIGHT_OPT_IN_MAX))
    _check_nodes(detector)
    _unique("modes", (mode.name for mode in detector.modes))
    for mode in detector.modes:
        _check_mode(mode, known)
        for channel in mode.channels:
            _check_channel(detector, mode, channel)
    _check_self_tests(detector)


def floats(raw: bytes) -> array[float]:
    """Little-endian f8 in this machine's order."""
    values = array("d", raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def counts(raw: bytes) -> array[int]:
    """Little-endian u4 in this machine's order."""
    values = array("I", raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def inner_nodes(height: int) -> int:
    """Nodes of one tree that split."""
    return (1 << height) - 1


def all_nodes(height: int) -> int:
    """Nodes of one tree, leaves included."""
    return (2 << height) - 1


def _check_finite(detector: Detector) -> None:
    pending: list[object] = [msgspec.to_builtins(detector, builtin_types=(bytes,))]
    while pending:
        value = pending.pop()
        if isinstance(value, float):
            require(isfinite(value), Malformation.NOT_FINITE, str(value))
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)


def _check_fields(detector: Detector) -> frozenset[str]:
    known: set[str] = set()
    _unique(
        "fields", [one.name for one in detector.fields] + [one.name for one in detector.derived]
    )
    for field in detector.fields:
        require(field.low < field.high, Malformation.RANGE, field.name)
        known.add(field.name)
    for field in detector.fields:
        _known(known, (condition.field for condition in field.valid_when))
    for derived in detector.derived:
        _known(known, (derived.left, derived.right))
        require(derived.right_min >= 0, Malformation.RANGE, derived.name)
        known.add(derived.name)
    return known_fields(detector)


def known_fields(detector: Detector) -> frozenset[str]:
    """Names that values of a reading have."""
    return frozenset({one.name for one in detector.fields} | {one.name for one in detector.derived})


def _check_structure(structure: Structure, height_max: int) -> None:
    require(1 <= structure.trees <= TREES_MAX, Malformation.TREES, str(structure.trees))
    require(1 <= structure.height <= height_max, Malformation.HEIGHT, str(structure.height))
    inner = structure.trees * inner_nodes(structure.height)
    require(len(structure.feature) == inner, Malformation.ARRAY_LENGTH, "feature")
    require(len(structure.threshold) == inner * _F8, Malformation.ARRAY_LENGTH, "threshold")
    in_range = max(structure.feature) < structure.features <= FEATURES_MAX
    require(in_range, Malformation.FEATURE_INDEX, str(max(structure.feature)))
    # Comparisons that NaN fails, too.
    inside = all(0.0 <= value <= 1.0 for value in floats(structure.threshold))
    require(inside, Malformation.SPLIT, "threshold")


def _check_nodes(detector: Detector) -> None:
    nodes = 0
    for mode in detector.modes:
        for forest in chain.from_iterable(channel.forests for channel in mode.channels):
            exists = forest.structure < len(detector.structures)
            require(exists, Malformation.STRUCTURE_INDEX, str(forest.structure))
            structure = detector.structures[forest.structure]
            nodes += structure.trees * all_nodes(structure.height)
    require(nodes <= NODES_MAX, Malformation.NODES, str(nodes))


def _check_mode(mode: Mode, known: frozenset[str]) -> None:
    _known(known, (condition.field for condition in (*mode.conditions, *mode.steady.running)))
    _known(known, (limit.field for limit in mode.steady.rates))
    _known(known, (conditioner.field for conditioner in mode.conditioners))
    _known(known, (target.field for target in mode.targets))
    for conditioner in mode.conditioners:
        require(conditioner.low < conditioner.high, Malformation.RANGE, conditioner.field)
    last = len(mode.conditioners)
    for first, second in mode.terms:
        whole = first == second == -1 or (0 <= first < last and -1 <= second < last)
        require(whole, Malformation.TERM, f"{mode.name}: {first}, {second}")
    names = [target.field for target in mode.targets]
    _unique(mode.name, names)
    require(names == sorted(names), Malformation.NAME_TWICE, f"{mode.name}: not sorted")
    for target in mode.targets:
        fits = len(target.coefficients) == len(mode.terms)
        require(fits, Malformation.VECTOR_LENGTH, f"{mode.name}.{target.field}")
        alone = all(channel.relative_to == "fleet" for channel in mode.channels)
        fits = alone or len(target.home_penalty) == len(mode.terms)
        require(fits, Malformation.VECTOR_LENGTH, f"{mode.name}.{target.field} home_penalty")
        positive = all(penalty > 0 for penalty in target.home_penalty)
        require(positive, Malformation.SCALE, f"{mode.name}.{target.field} home_penalty")
        low, middle, high = target.usual
        require(low <= middle <= high, Malformation.RANGE, f"{mode.name}.{target.field}")
        require(target.reference_min >= 0, Malformation.RANGE, f"{mode.name}.{target.field}")
    few = mode.mean_readings_min <= mode.mean_readings
    require(few, Malformation.RANGE, f"{mode.name}.mean_readings")


def _check_channel(detector: Detector, mode: Mode, channel: Channel) -> None:
    features = len(mode.targets)
    place = f"{mode.name}.{channel.name}"
    _unique(mode.name, (channel.name for channel in mode.channels))
    for vector in (channel.imputed, channel.centre, channel.median, channel.scale):
        require(len(vector) == features > 0, Malformation.VECTOR_LENGTH, place)
    square = len(channel.whitening) == features * features
    require(square, Malformation.VECTOR_LENGTH, f"{place}.whitening")
    positive = channel.squash > 0 and all(scale > 0 for scale in channel.scale)
    require(positive, Malformation.SCALE, place)
    # A row of zeros would make conditional ablation divide by zero.
    solid = all(any(channel.whitening[row::features]) for row in range(features))
    require(solid, Malformation.SCALE, f"{place}.whitening")
    for forest in channel.forests:
        structure = detector.structures[forest.structure]
        require(structure.features == features, Malformation.FEATURE_INDEX, place)
        _check_masses(structure, forest, place)
    for name in ("score", "weeks"):
        values = [getattr(step, name) for step in channel.rarity]
        require(values == sorted(values), Malformation.RARITY_ORDER, f"{place}.{name}")


def _check_masses(structure: Structure, forest: Forest, place: str) -> None:
    size = all_nodes(structure.height)
    inner = inner_nodes(structure.height)
    for raw, root in ((forest.r_mass, forest.window_size), (forest.l_mass, None)):
        if raw is None:
            continue
        fits = len(raw) == structure.trees * size * _U4
        require(fits, Malformation.ARRAY_LENGTH, f"{place} masses")
        # Sums along a walk must stay exact in a double, whatever order they are taken in.
        exact = structure.trees * size * forest.window_size < EXACT
        require(exact, Malformation.MASS_ABOVE_WINDOW, place)
        masses = counts(raw)
        require(max(masses) <= forest.window_size, Malformation.MASS_ABOVE_WINDOW, place)
        roots = set(masses[::size])
        whole = roots == {root} if root is not None else len(roots) == 1
        require(whole, Malformation.MASS_ROOT, place)
        for start in range(0, len(masses), size):
            tree = masses[start : start + size]
            # In heap order the left children are every second node from 1, the right from 2.
            sums = array("I", map(add, tree[1::2], tree[2::2]))
            require(sums == tree[:inner], Malformation.MASS_SUM, f"{place} at node {start}")


def _check_self_tests(detector: Detector) -> None:
    widths = {
        (mode.name, channel.name): len(mode.conditioners) + len(mode.targets)
        for mode in detector.modes
        for channel in mode.channels
    }
    tested: set[tuple[str, str]] = set()
    for test in detector.self_tests:
        width = widths.get((test.mode, test.channel))
        require(width is not None, Malformation.SELF_TEST, f"{test.mode}.{test.channel}")
        number = len(test.scores) // _F8
        fits = len(test.scores) == number * _F8 and number >= SELF_TESTS_MIN
        fits = fits and len(test.vectors) == number * (width or 0) * _F8
        require(fits, Malformation.SELF_TEST, f"{test.mode}.{test.channel}")
        finite = all(map(isfinite, floats(test.scores)))
        require(finite, Malformation.NOT_FINITE, f"self test of {test.mode}.{test.channel}")
        tested.add((test.mode, test.channel))
    require(tested == set(widths), Malformation.SELF_TEST, "a channel without self test")


def _known(known: Iterable[str], fields: Iterable[str]) -> None:
    missing = set(fields).difference(known)
    require(not missing, Malformation.UNKNOWN_FIELD, ", ".join(sorted(missing)))


def _unique(place: str, names: Iterable[str]) -> None:
    listed = list(names)
    require(len(set(listed)) == len(listed), Malformation.NAME_TWICE, place)


def require(holds: bool, code: Malformation, detail: str) -> None:  # noqa: FBT001 - the condition is the point
    """Refuse unless `holds`."""
    if not holds:
        raise MalformedDetector(code, detail)
