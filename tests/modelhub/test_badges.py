"""Badges: figures as shields' JSON and as an image of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract.overview import Badge
from heatpool_modelhub.badges import compact, svg
from heatpool_modelhub.published import takes_gzip

if TYPE_CHECKING:
    from heatpool_contract.pages import Language


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (0, "en", "0"),
        (999, "de", "999"),
        (1_000, "en", "1k"),
        (1_499, "en", "1.4k"),
        (1_499, "de", "1,4k"),
        (999_999, "en", "999k"),
        (12_000_000, "de", "12M"),
        (3_400_000_000, "en", "3.4G"),
    ],
)
def test_large_figures_are_short(value: int, language: Language, text: str) -> None:
    """Rounded down, so that a badge never promises more than there is."""
    assert compact(value, language) == text


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=30))
def test_text_of_an_image_is_text(text: str) -> None:
    """Whatever it says, the image is well-formed and has no element of the text's making."""
    root = ET.fromstring(  # noqa: S314 - our own output
        svg(Badge(label=text, message='</text><script>"&', color="0a6b52", cache_seconds=300))
    )

    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [text, '</text><script>"&']
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("x-gzip-not", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: str, takes: bool) -> None:  # noqa: FBT001 - a table
    """RFC 9110: a weight of nought is a refusal."""
    assert takes_gzip(header) is takes
