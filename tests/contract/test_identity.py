"""One installation has one id, one heat-pump model one slug."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_contract import identity

GOOD = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"


@pytest.mark.parametrize(
    "spelling",
    [
        GOOD.upper(),
        "{" + GOOD + "}",
        "urn:uuid:" + GOOD,
        GOOD.replace("-", ""),
        GOOD + "\n",
        " " + GOOD,
        "00000000-0000-0000-0000-000000000000",
        "5f0c1c1e-8f8e-1f0a-9d5e-0123456789ab",
        "5f0c1c1e-8f8e-4f0a-1d5e-0123456789ab",
        GOOD[:-1],
        "",
        GOOD + "\x00",
        "\uff15f0c1c1e-8f8e-4f0a-9d5e-0123456789ab",
    ],
)
def test_every_other_spelling_of_an_id_is_refused(spelling: str) -> None:
    """Upper case, braces, URN, missing hyphens, other versions and variants, stray characters."""
    assert identity.installation_id(spelling) is None


@pytest.mark.parametrize("version", ["4", "8"])
def test_version_4_and_8_are_ids(version: str) -> None:
    """Random ids of old loggers and self-certifying ids of new ones."""
    spelling = GOOD[:14] + version + GOOD[15:]

    assert identity.installation_id(spelling) == spelling


def test_a_pseudonym_depends_on_id_and_key() -> None:
    """Nobody without the key can tell which home a pseudonym is."""
    home = identity.InstallationId(GOOD)

    names = {identity.pseudonym(home, key) for key in (b"a" * 16, b"b" * 16)}

    assert len(names) == 2
    assert all(set(name) <= set(string.hexdigits.lower()) and len(name) == 32 for name in names)


def test_a_short_key_is_refused() -> None:
    """A key that can be guessed makes pseudonyms linkable."""
    with pytest.raises(ValueError, match="16 to 64"):
        identity.pseudonym(identity.InstallationId(GOOD), b"short")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("AERO SLM", "aero_slm"),
        ("AERO_SLM", "aero_slm"),
        ("aero-slm", "aero_slm"),
        ("WPF:05", None),
        ("Daikin Altherma 3 H (2021)", "daikin_altherma_3_h_2021"),
        ("ü", None),
        ("___", None),
        ("", None),
        ("x" * 65, None),
        ("AERO\nSLM", None),
        ("AERO,SLM", None),
        ("AERO.*>", None),
    ],
)
def test_models_are_compared_by_slug(name: str, slug: str | None) -> None:
    """Spellings of one machine meet; names that could break a subject or a query do not pass."""
    assert identity.model_slug(name) == slug


@given(st.text(max_size=80))
def test_a_slug_is_always_fit_for_subject_key_and_label(name: str) -> None:
    """Whatever a logger sends, what comes out is `[a-z0-9_]`."""
    slug = identity.model_slug(name)

    assert slug is None or (slug and set(slug) <= set(string.ascii_lowercase + string.digits + "_"))


@pytest.mark.parametrize("text", ["1.0,x", "1.0\n", "", "v" * 33, "1 0", "ü"])
def test_a_version_that_could_break_a_label_is_refused(text: str) -> None:
    """Line breaks, commas and blanks have no place in a version."""
    assert not identity.is_version(text)
