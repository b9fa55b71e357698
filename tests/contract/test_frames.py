"""Frames on the bus: golden vectors of every version decode for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract import frames
from heatpool_contract.frames import Chunk, Frame, MalformedChunkError

VECTORS = Path(__file__).parent.parent / "vectors" / "frames" / "v1"
HOME = "00112233445566778899aabbccddeeff"
STAMP_MS = 1_763_690_340_000
EXPECTED = {
    "one_record": [
        Frame([STAMP_MS], {"temp_flow": [35.5], "power": [1200.0], "compressor_on": [1.0]})
    ],
    "from_a_later_edge": [
        Frame([STAMP_MS], {"temp_flow": [35.5], "power": [1200.0], "compressor_on": [1.0]})
    ],
    "two_field_sets": [
        Frame([STAMP_MS, STAMP_MS + 60_000], {"temp_flow": [35.5, 35.25], "power": [1200.0, 0.0]}),
        Frame([STAMP_MS + 120_000], {"temp_flow": [-3.0]}),
    ],
    "extreme_numbers": [
        Frame(
            [0, STAMP_MS, STAMP_MS + 1],
            {"a": [1e300, -1e300, 5e-324], "b": [0.1, -0.0, 123456789012345.0]},
        )
    ],
}


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_a_frame_of_version_1_decodes(path: Path) -> None:
    """A new file without an expectation fails here, too."""
    chunk = frames.decode_raw(path.read_bytes())

    assert (chunk.schema, chunk.installation, chunk.model) == (1, HOME, "aero_slm_6_17")
    assert (chunk.version, chunk.received_ms) == ("1.4.2+de", 1_763_690_400_000)
    assert [_whole(frame) for frame in chunk.frames] == EXPECTED[path.stem]


def test_every_expected_vector_is_there() -> None:
    """None was removed."""
    assert {path.stem for path in VECTORS.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"from_a_later_edge"}))
def test_todays_encoder_still_makes_the_same_bytes(name: str) -> None:
    """Or a repeat through a new edge would have another message id than through an old one."""
    encoded = frames.encode(
        Chunk(
            installation=HOME,
            model="aero_slm_6_17",
            version="1.4.2+de",
            received_ms=1_763_690_400_000,
            frames=[msgspec.Raw(frames.encode_frame(frame)) for frame in EXPECTED[name]],
        )
    )

    assert encoded == (VECTORS / f"{name}.json").read_bytes()


def test_an_unknown_schema_is_malformed() -> None:
    """It goes to the dead letters, and is replayed after the upgrade."""
    newer = (VECTORS / "one_record.json").read_bytes().replace(b'"schema":1', b'"schema":2')

    with pytest.raises(MalformedChunkError, match="schema"):
        frames.decode_raw(newer)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_malformed(payload: bytes) -> None:
    """Nothing else is raised."""
    with pytest.raises(MalformedChunkError):
        frames.decode_raw(payload)


def _whole(frame: frames.RawFrame) -> Frame:
    return Frame(
        frame.timestamps_ms,
        {
            name: msgspec.json.decode(column, type=list[float])
            for name, column in frame.columns.items()
        },
    )
