"""The files of the public page, as they are sent: one HTML a language, assets under hashed names.

In: files of this package and of `heatpool_contract.pages`. Out: `Published` by path. Guarantee:
what has a hash in its name never changes, so it may be kept for ever; the HTML names exactly the
assets of the same hub; nothing inline, nothing from elsewhere (`POLICY`).
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_contract import pages
from heatpool_contract.pages import ASSETS, LANGUAGES, POLICY, Language
from heatpool_modelhub.published import Published, digest_of, publish

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"  # with its tag, so mostly a 304: an update is there at once
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
SCRIPT: Final = "text/javascript; charset=utf-8"
GUARDS: Final = (
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)


class Site(msgspec.Struct, frozen=True):
    """Everything that the page is made of."""

    html: dict[Language, Published]
    assets: dict[str, Published]
    """By name, as `page.0123456789abcdef.js`."""
    words: dict[Language, dict[str, str]]


def site() -> Site:
    """Read the files and prepare them."""
    shared, own = files(pages), files("heatpool_modelhub") / "page"
    words: dict[Language, dict[str, str]] = {
        language: pages.catalogue(language, (shared / "texts" / f"{language}.json").read_bytes())
        for language in LANGUAGES
    }
    assets, names = _assets(shared, own)
    html = {}
    for language in LANGUAGES:
        texts = msgspec.json.encode(words[language], order="sorted")
        name = _add(assets, f"texts.{language}.json", texts, JSON)
        paths = {f"asset.{plain}": f"/static/{hashed}" for plain, hashed in names.items()}
        paths["asset.texts.json"] = f"/static/{name}"
        paths |= {
            f"current.{one}": "aria-current=true" if one == language else "" for one in LANGUAGES
        }
        template = (own / "index.html").read_text("utf-8")
        body = pages.page(template, language, words[language] | paths).encode()
        vary = ("vary", "accept-encoding, accept-language")
        html[language] = publish(body, HTML, ASK_AGAIN, vary, *GUARDS)
    return Site(html, assets, words)


def _assets(shared: Traversable, own: Traversable) -> tuple[dict[str, Published], dict[str, str]]:
    """Published assets, and the hashed name of each.

    In the order of `ASSETS`, then the page's own: who is imported comes before who imports.
    """
    assets: dict[str, Published] = {}
    names: dict[str, str] = {}
    for place, name, media in (
        *((shared / name, name, media) for name, media in ASSETS.items()),
        (own / "pool.js", "pool.js", SCRIPT),
    ):
        body = place.read_bytes()
        for known, hashed in names.items():
            body = body.replace(f'"./{known}"'.encode(), f'"./{hashed}"'.encode())
        names[name] = _add(assets, name, body, media)
    return assets, names


def _add(assets: dict[str, Published], name: str, body: bytes, media: str) -> str:
    stem, _, suffix = name.rpartition(".")
    hashed = f"{stem}.{digest_of(body)}.{suffix}"
    assets[hashed] = publish(body, media, FOREVER, ("cross-origin-resource-policy", "same-origin"))
    return hashed
