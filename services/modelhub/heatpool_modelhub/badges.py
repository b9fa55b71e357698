"""PURE: a figure of the pool -> a badge, as shields' JSON and as an image of our own.

In: totals, a language. Out: `Badge`, SVG. Guarantee: every text in the SVG is escaped; the image
loads nothing from elsewhere.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, Literal, get_args

from heatpool_contract.overview import Badge

if TYPE_CHECKING:
    from heatpool_contract.overview import Totals
    from heatpool_contract.pages import Language

Figure = Literal["homes", "models", "points"]
FIGURES: Final[tuple[Figure, ...]] = get_args(Figure)
SECONDS: Final = 300  # shields asks no more often than that anyway
COLOUR: Final = "0a6b52"  # the page's accent; white on it has a contrast above 6
_STEPS: Final = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_TEN: Final = 10
_NARROW: Final = frozenset("iljtfr1.,:;!|'I ")
_CHAR_PX: Final = 7  # of Verdana at 11 px; `textLength` makes other fonts fit
_NARROW_PX: Final = 4
_PADDING_PX: Final = 12


def badge(figure: Figure, totals: Totals, label: str, language: Language) -> Badge:
    """The badge of one figure under its label."""
    values = {"homes": totals.homes, "models": totals.models, "points": totals.data_points}
    message = compact(values[figure], language)
    return Badge(label=label, message=message, color=COLOUR, cache_seconds=SECONDS)


def compact(value: int, language: Language) -> str:
    """`12M`, `3.4k`: rounded down, two digits from a thousand on."""
    for step, unit in _STEPS:
        if value < step:
            continue
        whole, tenths = divmod(value * _TEN // step, _TEN)
        if whole >= _TEN or tenths == 0:
            return f"{whole}{unit}"
        return f"{whole}{',' if language == 'de' else '.'}{tenths}{unit}"
    return str(value)


def svg(shown: Badge) -> str:
    """A flat badge, 20 px high."""
    left, right = _width(shown.label), _width(shown.message)
    label, message = escape(shown.label), escape(shown.message)
    colour = escape(shown.color)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {message}"><title>{label}: {message}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3b4652"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="#{colour}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" '
        'font-size="11">'
        f'<text x="{left / 2}" y="14" textLength="{left - _PADDING_PX}">{label}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - _PADDING_PX}">{message}</text>'
        "</g></svg>"
    )


def _width(text: str) -> int:
    return sum(_NARROW_PX if char in _NARROW else _CHAR_PX for char in text) + _PADDING_PX
