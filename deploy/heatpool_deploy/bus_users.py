"""The bus's users: an nkey for each role, and the server's accounts made from the table of rights.

In: a folder, randomness. Out: one seed file a role, mode 0600, and `authorization.conf`. Guarantee:
an existing seed is kept; the configuration holds public keys only; a user that is not listed does
not exist, and the system account sees no message of the pool. Each service is alone in an account,
into which its row of rights is imported, and out of which only its answers to operators lead.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import nkeys

from heatpool_chassis.permissions import (
    ACCOUNT,
    SERVICES,
    Permissions,
    Role,
    account,
    has_many_answers,
    imported,
    offered,
    permissions_of,
)
from heatpool_deploy.keys import write_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

AUTHORIZATION_FILE: Final = "authorization.conf"
SYSTEM: Final = "system"
"""The servers' own account: `nats server list`, `nats server report jetstream`."""
USERS: Final = (*Role, SYSTEM)
SEED_BYTES: Final = 32
MAPPING: Final = f'mappings: {{ "$JS.API.>": "{imported("$JS.API.>")}" }}'
ANSWER_S_MAX: Final = 60
"""The longest pull and the slowest answer to an operator take some seconds. The server remembers
each request that may get several answers for so long, 0.4 KB each (docs/decisions/0701)."""


def seed_file(role: str) -> str:
    """Name of the file that holds the seed of a role."""
    return f"nats_{role}.nk"


def make_users(folder: Path, random: Callable[[int], bytes]) -> dict[str, str]:
    """Write the seeds that are missing; the public key of every user."""
    for role in USERS:
        path = folder / seed_file(role)
        if not path.exists():
            seed = nkeys.encode_seed(random(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
            write_secret(path, seed.decode())
    return {
        role: public_key((folder / seed_file(role)).read_text(encoding="utf-8").strip())
        for role in USERS
    }


def authorization(public_keys: Mapping[str, str], regions: Mapping[str, str] | None = None) -> str:
    """Accounts, users and permissions, to be included by nats-server's configuration.

    `regions`: public keys of links, by name; behind each are edges.
    """
    services = [(account(role), role, public_keys[role]) for role in SERVICES]
    services += [
        (f"{account(Role.INGEST)}_{name.upper()}", Role.INGEST, key)
        for name, key in sorted((regions or {}).items())
    ]
    accounts = [_pool(public_keys, services), *(_service(*one) for one in services)]
    return f"""\
# Written by heatpoolctl from its table of rights; holds no secret. Changes here are lost.
accounts {{
{"".join(accounts)}\
  SYSTEM {{ users: [ {{ nkey: {public_keys[SYSTEM]} }} ] }}
}}
system_account: SYSTEM
"""


def service_user(role: Role, key: str) -> str:
    """A service's user. It answers once, to whoever asked, and writes to nobody's inbox else."""
    once = f'allow_responses: {{ max: 1, expires: "{ANSWER_S_MAX}s" }}'
    return _user(key, _inside(role), (once,))


def _link_user(key: str) -> str:
    """A region's server. `allow_responses` is nothing to a link: it names where answers go."""
    allowed = _inside(Role.INGEST)
    return _user(key, Permissions((*allowed.publish, "_R_.>"), allowed.subscribe), ())


def _inside(role: Role) -> Permissions:
    """Rights of a service, as they are called in its account."""
    allowed = permissions_of(role)
    return Permissions(tuple(map(imported, allowed.publish)), allowed.subscribe)


def _pool(public_keys: Mapping[str, str], services: list[tuple[str, Role, str]]) -> str:
    """Where the streams are: each service may ask what its row says, nothing else leads in."""
    takers = defaultdict(list)
    for name, role, _key in services:
        for subject in permissions_of(role).publish:
            takers[subject].append(name)
    exports = [_export(subject, who) for subject, who in sorted(takers.items())]
    imports = [_import(name, subject) for name, role, _key in services for subject in offered(role)]
    people = [role for role in Role if role not in SERVICES]
    users = [_user(public_keys[role], permissions_of(role), ()) for role in people]
    return _account(ACCOUNT, ["jetstream: enabled"], exports, imports, users)


def _service(name: str, role: Role, key: str) -> str:
    exports = [_export(subject, [ACCOUNT], many=True) for subject in offered(role)]
    asked = permissions_of(role).publish
    imports = [_import(ACCOUNT, subject, imported(subject)) for subject in asked]
    user = service_user(role, key) if name == account(role) else _link_user(key)
    return _account(name, [MAPPING], exports, imports, [user])


def _account(
    name: str, settings: list[str], exports: list[str], imports: list[str], users: list[str]
) -> str:
    inner = "\n".join(f"    {line}" for line in settings)
    lists = "".join(
        f"    {key}: [\n" + "".join(f"      {one}\n" for one in values) + "    ]\n"
        for key, values in (("users", users), ("exports", exports), ("imports", imports))
    )
    return f"  {name} {{\n{inner}\n{lists}  }}\n"


def _export(subject: str, accounts: list[str], *, many: bool = False) -> str:
    threshold = f', response_type: stream, response_threshold: "{ANSWER_S_MAX}s"'
    more = threshold if many or has_many_answers(subject) else ""
    return f'{{ service: "{subject}", accounts: [{", ".join(accounts)}]{more} }}'


def _import(source: str, subject: str, here: str = "") -> str:
    renamed = f', to: "{here}"' if here not in {"", subject} else ""
    return f'{{ service: {{ account: {source}, subject: "{subject}" }}{renamed} }}'


def _user(public_key: str, allowed: Permissions, more: tuple[str, ...]) -> str:
    rights = ", ".join(
        (
            f"publish: {{ allow: {_list(allowed.publish)} }}",
            f"subscribe: {{ allow: {_list(allowed.subscribe)} }}",
            *more,
        )
    )
    return f"{{ nkey: {public_key}, permissions: {{ {rights} }} }}"


def _list(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def public_key(seed: str) -> str:
    """What the server knows of a seed."""
    public: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key
    return public.decode()
