"""The bus's users: an nkey for each role, and the server's accounts made from the table of rights.

In: a folder, randomness. Out: one seed file a role, mode 0600, and `authorization.conf`. Guarantee:
an existing seed is kept; the configuration holds public keys only; a user that is not listed does
not exist, and the system account sees no message of the pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import nkeys

from heatpool_chassis.permissions import Permissions, Role, permissions_of
from heatpool_deploy.keys import write_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

AUTHORIZATION_FILE: Final = "authorization.conf"
SYSTEM: Final = "system"
"""The servers' own account: `nats server list`, `nats server report jetstream`."""
USERS: Final = (*Role, SYSTEM)
_SEED_BYTES: Final = 32


def seed_file(role: str) -> str:
    """Name of the file that holds the seed of a role."""
    return f"nats_{role}.nk"


def make_users(folder: Path, random: Callable[[int], bytes]) -> dict[str, str]:
    """Write the seeds that are missing; the public key of every user."""
    for role in USERS:
        path = folder / seed_file(role)
        if not path.exists():
            seed = nkeys.encode_seed(random(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)
            write_secret(path, seed.decode())
    return {role: _public(folder / seed_file(role)) for role in USERS}


def authorization(public_keys: Mapping[str, str]) -> str:
    """Accounts, users and permissions, to be included by nats-server's configuration."""
    users = ",\n".join(_user(public_keys[role], permissions_of(role)) for role in Role)
    return f"""\
# Written by heatpoolctl from its table of rights; holds no secret. Changes here are lost.
accounts {{
  HEATPOOL {{
    jetstream: enabled
    users: [
{users}
    ]
  }}
  SYSTEM {{ users: [ {{ nkey: {public_keys[SYSTEM]} }} ] }}
}}
system_account: SYSTEM
"""


def _user(public_key: str, allowed: Permissions) -> str:
    return f"""\
      {{ nkey: {public_key}, permissions: {{
        publish: {{ allow: {_list(allowed.publish)} }}
        subscribe: {{ allow: {_list(allowed.subscribe)} }}
      }} }}"""


def _list(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def _public(path: Path) -> str:
    seed = bytearray(path.read_text(encoding="utf-8").strip().encode())
    public: bytes = nkeys.from_seed(seed).public_key
    return public.decode()
