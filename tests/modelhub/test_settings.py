"""Settings of the hub: what would only fail at the first request fails at the start."""

from __future__ import annotations

from base64 import b64encode

import pytest
from simulators import publisher as pub

from heatpool_chassis.settings import SettingsError, described, load
from heatpool_modelhub.settings import PREFIX, Settings, keys_of

GOOD = {
    "TOKENS": "one-token-0123456789 other-token-0123456789",
    "OPERATOR_TOKENS": "operator-token-0123456789",
    "PSEUDONYM_KEY": "0123456789abcdef0123456789abcdef",
    "HUB_PRIVATE_KEY": b64encode(pub.secret("hub")).decode(),
    "TIMESTAMP_KEY": b64encode(pub.secret("timestamp 1")).decode(),
    "FLEET_PUBLIC_KEY": b64encode(pub.box_public("fleet")).decode(),
    "NATS_URL": "nats://127.0.0.1:4222",
}


def loaded(**changes: str | None) -> Settings:
    """Settings from an environment with changes."""
    values = {PREFIX + key: value for key, value in {**GOOD, **changes}.items() if value}
    return load(Settings, PREFIX, values)


def test_good_environment_loads() -> None:
    """Keys are the bytes that the text spells."""
    keys = keys_of(loaded())

    assert keys.pseudonym == GOOD["PSEUDONYM_KEY"].encode()
    assert (keys.hub_private, keys.timestamp_seed) == (
        pub.secret("hub"),
        pub.secret("timestamp 1"),
    )
    assert keys.fleet_public == pub.box_public("fleet")


def test_fleet_key_and_operators_may_be_left_out() -> None:
    """Then loggers without a key get no grant, and the operators' routes stay closed."""
    chosen = loaded(FLEET_PUBLIC_KEY=None, OPERATOR_TOKENS=None)

    assert keys_of(chosen).fleet_public is None
    assert chosen.operator_tokens == ()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TOKENS", None, "missing"),
        ("TOKENS", "short", "at least 16"),
        ("TOKENS", "change-me-0123456789", "well-known"),
        ("OPERATOR_TOKENS", "one-token-0123456789", "must not be among them"),
        ("PSEUDONYM_KEY", None, "missing"),
        ("PSEUDONYM_KEY", "x" * 65, "16 to 64"),
        ("HUB_PRIVATE_KEY", "not base64 at all!", "not base64"),
        ("HUB_PRIVATE_KEY", b64encode(bytes(31)).decode(), "32 bytes"),
        ("TIMESTAMP_KEY", b64encode(bytes(33)).decode(), "32 bytes"),
        ("FLEET_PUBLIC_KEY", b64encode(bytes(32)).decode(), "low order"),
        ("TYPO", "x", "not a setting"),
    ],
)
def test_bad_environment_is_refused_by_name(name: str, value: str | None, complaint: str) -> None:
    """The setting is named, its value is not."""
    with pytest.raises(SettingsError, match=complaint) as caught:
        loaded(**{name: value})

    assert PREFIX + name in str(caught.value)
    if value and value not in PREFIX:
        assert value not in str(caught.value)


def test_no_key_is_shown() -> None:
    """Neither in the log line at start nor in a traceback."""
    chosen = loaded()
    shown = repr(chosen) + repr(described(chosen)) + repr(keys_of(chosen))

    for name in ("TOKENS", "OPERATOR_TOKENS", "PSEUDONYM_KEY", "HUB_PRIVATE_KEY", "TIMESTAMP_KEY"):
        assert GOOD[name].split()[0] not in shown
