"""What hypothesis makes for the writer's tests: chunks as the edge would publish them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from heatpool_contract import frames
from heatpool_contract.frames import Chunk, Frame

HOMES = ("0" * 31 + "a", "0" * 31 + "b")
MODEL = "aero_slm"
stamps = st.integers(min_value=0, max_value=1 << 53)
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15)
names = st.sampled_from(["power", "temp_flow", "_", "X9", "a" * 64])


@st.composite
def frame(draw: st.DrawFn) -> Frame:
    """Some records with the same fields."""
    rows = draw(st.lists(stamps, min_size=1, max_size=6))
    columns = draw(
        st.dictionaries(
            names,
            st.lists(values.map(float), min_size=len(rows), max_size=len(rows)),
            min_size=1,
            max_size=4,
        )
    )
    return Frame(rows, columns)


@st.composite
def chunk(draw: st.DrawFn) -> tuple[str, list[Frame], bytes]:
    """Subject, frames and payload of a message."""
    home = draw(st.sampled_from(HOMES))
    some = draw(st.lists(frame(), min_size=1, max_size=3))
    return f"telemetry.{MODEL}.{home}", some, payload(home, some)


def payload(home: str, some: list[Frame], model: str = MODEL) -> bytes:
    """A message of one home."""
    return frames.encode(
        Chunk(
            installation=home,
            model=model,
            version="1.0.0",
            received_ms=1_790_000_000_000,
            frames=[msgspec.Raw(frames.encode_frame(one)) for one in some],
        )
    )
