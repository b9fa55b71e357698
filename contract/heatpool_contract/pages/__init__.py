"""What the owner's page and the pool page are made of: files beside this one, texts, templates.

In: a file's text, a catalogue, what a browser says about languages. Out: a page in one language.
Guarantee: a text comes into the page escaped; a page that names a key which the catalogue lacks is
an error, not a gap. Pure: who serves reads the files (`importlib.resources`).

    style.css, uplot.css   light and dark, 360 px first
    early.js               before the first paint: theme and language of last time
    page.js, charts.js     ES modules: texts, formats, charts with all their states
    uplot.js               the chart library, as npm's lock pins it (web/)
    texts/<language>.json  every text of both pages; `catalogue` adds the refusals' texts
"""

from __future__ import annotations

import html
import re
from typing import Final, Literal

import msgspec

from heatpool_contract.refusals import TEXTS

Language = Literal["de", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("de", "en")
DEFAULT: Final[Language] = "en"
ASSETS: Final[dict[str, str]] = {
    "style.css": "text/css; charset=utf-8",
    "uplot.css": "text/css; charset=utf-8",
    "early.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "uplot.js": "text/javascript; charset=utf-8",
}
"""File -> media type; both pages serve them under `assets/`."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of both pages: nothing inline, nothing from elsewhere."""
ACCEPT_CHARS_MAX: Final = 1000  # browsers send about 40
_KEY: Final = re.compile(r"\{\{([a-z0-9_.]+)\}\}")


class MissingTextError(Exception):
    """A page names a key that the catalogue lacks."""


def catalogue(language: Language, texts: bytes) -> dict[str, str]:
    """Every text of a page by its key, the API's messages (`refusal.<code>`) included.

    Args:
        language: of `texts`.
        texts: the file `texts/<language>.json`.

    Raises:
        ValueError: the file is not an object of strings.
    """
    known = msgspec.json.decode(texts, type=dict[str, str])
    spoken = {code: text.de if language == "de" else text.en for code, text in TEXTS.items()}
    return known | {f"refusal.{code}": text for code, text in spoken.items()}


def page(template: str, language: Language, words: dict[str, str]) -> str:
    """The template with `{{key}}` replaced by escaped texts, and `{{lang}}` by the language.

    Raises:
        MissingTextError: a key without a text.
    """

    def put(found: re.Match[str]) -> str:
        key = found.group(1)
        if key == "lang":
            return language
        if key not in words:
            raise MissingTextError(key)
        return html.escape(words[key])

    return _KEY.sub(put, template)


def chosen(query: str | None, accept_language: str, fallback: Language = DEFAULT) -> Language:
    """The page's language: what the address says, else the browser's, else `fallback`.

    Args:
        query: value of `lang` in the address.
        accept_language: the header (RFC 9110, 12.5.4), as it came.
        fallback: for browsers that want neither.
    """
    for language in LANGUAGES:
        if query == language:
            return language
    ranked = []
    for position, part in enumerate(accept_language[:ACCEPT_CHARS_MAX].split(",")):
        name, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        ranked.append((-weight, position, name.strip().lower()[:2]))
    for weight, _, name in sorted(ranked):
        for language in LANGUAGES:
            if name == language and weight < 0:
                return language
    return fallback
