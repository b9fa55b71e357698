"""A secret that may be missing is a secret all the same."""

from __future__ import annotations

import msgspec
import pytest

from heatpool_chassis.settings import Secret, SettingsError, load


class Service(msgspec.Struct, frozen=True):
    """Settings of a service that may have a password."""

    password: Secret | None = None


def test_an_optional_secret_is_read_and_does_not_show_itself() -> None:
    """`Secret | None` is how a service says that its bus may ask for nothing."""
    given = load(Service, "X_", {"X_PASSWORD": "0123456789abcdefg"})

    assert given.password == "0123456789abcdefg"
    assert "0123" not in repr(given)
    assert load(Service, "X_", {}).password is None


def test_an_optional_secret_is_as_long_as_any_other() -> None:
    """No exception for it."""
    with pytest.raises(SettingsError, match="16 characters"):
        load(Service, "X_", {"X_PASSWORD": "short"})
