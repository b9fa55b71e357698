"""The pool's secrets, made once: who may submit, who signs, who opens.

In: a folder, randomness, the time. Out: one file a secret, mode 0600, and the first trust file.
Guarantee: never overwrites; root keys go to a folder of their own, to be taken offline; the hub's
files hold nothing that could sign a release.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from nacl.public import PrivateKey

from heatpool_contract.dsse import public_key_of
from heatpool_contract.trust import Role, Trust, sign_trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUST_S: Final = 365 * 86_400  # a root ceremony a year
ROOT_KEYS: Final = 3
ROOT_THRESHOLD: Final = 2
_SEED_BYTES: Final = 32
_TOKEN_BYTES: Final = 24

TOKEN: Final = "token"  # noqa: S105 - a file name
OPERATOR_TOKEN: Final = "operator_token"  # noqa: S105 - a file name
PSEUDONYM_KEY: Final = "pseudonym_key"
RECEIPT_KEY: Final = "receipt_key"
HUB_PRIVATE: Final = "hub_private_key"
HUB_PUBLIC: Final = "hub_public_key"
FLEET_PRIVATE: Final = "fleet_private_key"
FLEET_PUBLIC: Final = "fleet_public_key"
GRAFANA_PASSWORD: Final = "grafana_password"  # noqa: S105 - a file name
RELEASE_SEED: Final = "release_seed"
TIMESTAMP_SEED: Final = "timestamp_seed"
TRUST_FILE: Final = "trust.1.json"
OFFLINE: Final = "offline"


def make_keys(folder: Path, random: Callable[[int], bytes], now_s: int) -> list[Path]:
    """Write what is missing; the files written."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / OFFLINE).mkdir(exist_ok=True, mode=0o700)
    if (folder / TRUST_FILE).exists():
        return []
    roots = [random(_SEED_BYTES) for _ in range(ROOT_KEYS)]
    release, timestamp = random(_SEED_BYTES), random(_SEED_BYTES)
    hub, fleet = PrivateKey(random(_SEED_BYTES)), PrivateKey(random(_SEED_BYTES))
    trust = Trust(
        version=1,
        epoch=1,
        expires_s=now_s + TRUST_S,
        root=Role(tuple(map(public_key_of, roots)), ROOT_THRESHOLD),
        release=Role((public_key_of(release),)),
        timestamp=Role((public_key_of(timestamp),)),
    )
    texts = {
        TOKEN: random(_TOKEN_BYTES).hex(),
        OPERATOR_TOKEN: random(_TOKEN_BYTES).hex(),
        PSEUDONYM_KEY: random(_SEED_BYTES).hex(),
        RECEIPT_KEY: random(_SEED_BYTES).hex(),
        HUB_PRIVATE: _base64(bytes(hub)),
        HUB_PUBLIC: _base64(bytes(hub.public_key)),
        FLEET_PRIVATE: _base64(bytes(fleet)),
        FLEET_PUBLIC: _base64(bytes(fleet.public_key)),
        GRAFANA_PASSWORD: random(_TOKEN_BYTES).hex(),
        RELEASE_SEED: _base64(release),
        TIMESTAMP_SEED: _base64(timestamp),
        **{f"{OFFLINE}/root_{number}": _base64(seed) for number, seed in enumerate(roots, 1)},
        TRUST_FILE: sign_trust(trust, roots).decode(),
    }
    return [write_secret(folder / name, text) for name, text in texts.items()]


def write_secret(path: Path, text: str) -> Path:
    """Write a new file that only its owner may read; an existing one is an error."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
    return path


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
