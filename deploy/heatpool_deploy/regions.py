"""Edges in another place: a nats-server there, tied to the pool's by one link (a leaf node).

In: a region's name, where its link arrives, randomness. Out: a folder for the region with the
configuration and the seeds of its server and edges; on our side its public key, an account and a
listener. Guarantee: a region is alone in an account that may what an edge may, and nothing else;
both seeds leave this machine with the folder; who is forgotten has no account any more.

The region has no JetStream: an edge answers 200 when the pool's own stream has a request, and 503
while the link is down (docs/decisions/0704).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
import nkeys

from heatpool_chassis.permissions import Role, account
from heatpool_deploy import bus_users
from heatpool_deploy.keys import write_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REGIONS_FILE: Final = "regions.json"  # beside the public files of the keys
LISTENER_FILE: Final = "regions.conf"
LEAF_FILE: Final = "leaf.conf"
LINK_FILE: Final = "link.conf"
_NAME: Final = re.compile("[a-z][a-z0-9]{0,15}")
_LEAF: Final = """\
# Written by heatpoolctl: the bus of region {name}. Where it listens comes from its environment.
include ./{link}
listen: $HEATPOOL_NATS_LISTEN
http: $HEATPOOL_NATS_HTTP
server_name: heatpool-{name}
max_payload: 1MB
accounts {{
  {account} {{
    {mapping}
    users: [ {user} ]
  }}
  SYSTEM {{ }}
}}
system_account: SYSTEM
leafnodes {{
  reconnect: 1s
  remotes: [ {{ url: "{hub}", account: {account}, nkey: $LINK_SEED{tls} }} ]
}}
"""


class RegionError(Exception):
    """The region cannot be set up; the text says why."""


class Regions(msgspec.Struct, frozen=True):
    """What our side knows of them."""

    listen: str = ""
    advertise: str = ""
    """Host and port by which regions find us again; without it they would be told our own."""
    certificate: str = ""
    """Folder of `cert.pem` and `key.pem` as nats-server sees it; empty: links are not encrypted."""
    links: dict[str, str] = {}
    """Region -> public key of its link."""


def read(folder: Path) -> Regions:
    """Regions known to the keys in `folder`."""
    path = folder / REGIONS_FILE
    return msgspec.json.decode(path.read_bytes(), type=Regions) if path.exists() else Regions()


def remember(folder: Path, known: Regions) -> None:
    """Keep them for the next start."""
    (folder / REGIONS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(known)) + b"\n")


def listener(known: Regions) -> str:
    """nats-server's side of the links, to be included by its configuration."""
    if not known.links:
        return "# No regions: `heatpoolctl region add` writes this.\n"
    files = f'cert_file: "{known.certificate}/cert.pem", key_file: "{known.certificate}/key.pem"'
    tls = f"\n  tls {{ {files} }}" if known.certificate else ""
    where = f'listen: "{known.listen}"\n  advertise: "{known.advertise}"'
    return f"# Written by heatpoolctl.\nleafnodes {{\n  {where}{tls}\n}}\n"


def make(folder: Path, name: str, hub: str, ca: bytes, random: Callable[[int], bytes]) -> str:
    """Write the region's folder; the public key of its link.

    Raises:
        RegionError: the name is none, or the folder has a region already.
    """
    if not _NAME.fullmatch(name):
        raise RegionError("a region's name: up to 16 small letters and digits")
    if (folder / LEAF_FILE).exists():
        raise RegionError(f"{folder} is a region already")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link, edge = _seed(random), _seed(random)
    write_secret(folder / LINK_FILE, f'LINK_SEED: "{link}"\n')
    write_secret(folder / bus_users.seed_file(Role.INGEST), edge)
    if ca:
        (folder / "ca.pem").write_bytes(ca)
    text = _LEAF.format(
        name=name,
        account=account(Role.INGEST),
        mapping=bus_users.MAPPING,
        user=bus_users.service_user(Role.INGEST, bus_users.public_key(edge)),
        hub=hub,
        link=LINK_FILE,
        tls=', tls { ca_file: "./ca.pem" }' if ca else "",
    )
    (folder / LEAF_FILE).write_text(text, encoding="utf-8")
    return bus_users.public_key(link)


def _seed(random: Callable[[int], bytes]) -> str:
    seed: bytes = nkeys.encode_seed(random(bus_users.SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return seed.decode()
