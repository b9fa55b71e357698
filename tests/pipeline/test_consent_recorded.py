"""An owner agrees, shares and withdraws with the real client; the chain says exactly that."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from heatpool_client import keys as identity
from heatpool_client.consent import CONSENT_VERSION, PURPOSES
from heatpool_client.home import Home
from heatpool_client.pool import Pool as Client
from heatpool_contract.consents import PATH, ConsentRequest
from heatpool_contract.dsse import public_key_of
from heatpool_contract.identity import pseudonym
from heatpool_contract.requests import Asked, verify_request
from heatpool_contract.subjects import STREAM_CONSENT
from heatpool_deploy import keys
from heatpool_modelhub.rights import ConsentRecord

if TYPE_CHECKING:
    from nats.aio.client import Client as Nats
    from pool import Pool

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(180)]  # the erasure takes half a minute
HEATPOOL = Path(sys.executable).parent / "heatpool"
GENESIS = "0" * 64


def test_chain_of_consent_holds_the_two_decisions_of_a_home(pool: Pool, tmp_path: Path) -> None:
    """Between those of a neighbour, each signed by its home; the erasure ends `done` after it."""
    pool.start(("modelhub",))
    home, neighbour = tmp_path / "home", tmp_path / "neighbour"
    readings = tmp_path / "readings.csv"
    now_s = int(time.time())
    lines = [f"{now_s - 60 * minute},{20 + minute}" for minute in range(9)]
    readings.write_text("\n".join(["timestamp,temp_flow", *lines]), "ascii")
    for folder in (home, neighbour):
        _init(pool, folder)
        _run("submit", str(readings), home=folder)
    assert pool.wait_until_counted("heatpump_temp_flow", 18.0) == 18.0

    withdrawn = _run("consent", "--withdraw", "--erase", home=home)
    record = msgspec.convert(withdrawn["record"], dict[str, object])
    _run("consent", "--withdraw", home=neighbour)
    done = _run("erasure", "--wait", home=home)
    records = pool.on_bus(_records)

    assert (record["standing"], record["recorded"]) == ("recorded", 2)
    assert done["step"] == "done"
    assert done["finished_s"]
    assert pool.count("heatpump_temp_flow") == 9.0  # the neighbour's
    previous = GENESIS
    for raw in records:
        assert msgspec.json.decode(raw, type=ConsentRecord).previous == previous
        previous = sha256(raw).hexdigest()
    assert record["hash"] == sha256(records[2]).hexdigest()  # what the owner was told
    decoded = [msgspec.json.decode(raw, type=ConsentRecord) for raw in records]
    names = [_name(pool, folder) for folder in (home, neighbour)]
    assert [(names.index(one.installation), one.request.event) for one in decoded] == [
        (0, "granted"), (1, "granted"), (0, "withdrawn"), (1, "withdrawn"),
    ]  # fmt: skip  # one list
    for one in decoded:
        assert (one.request.text_version, one.request.purposes) == (CONSENT_VERSION, PURPOSES)
        _expect_signed(one, (home, neighbour)[names.index(one.installation)])


def _init(pool: Pool, folder: Path) -> None:
    token = folder.with_suffix(".token")
    token.write_text(pool.token, "ascii")
    _run(
        "init", "--server", pool.stack.ingest_url, "--hub", pool.stack.modelhub_url,
        "--model", "AERO SLM", "--token-file", str(token), "--accept-consent", CONSENT_VERSION,
        home=folder,
    )  # fmt: skip  # one command


def _run(*arguments: str, home: Path) -> dict[str, object]:
    """What the real command line says."""
    done = subprocess.run(
        [HEATPOOL, *arguments, "--home", str(home), "--json"],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return msgspec.json.decode(done.stdout, type=dict[str, object])


def _name(pool: Pool, folder: Path) -> str:
    with Client.open(folder, {}) as client:
        secret = pool.stack.secret(keys.PSEUDONYM_KEY)
        return pseudonym(client.config.installation, secret.encode())


def _expect_signed(record: ConsentRecord, folder: Path) -> None:
    """The record alone proves that it was the home's: with its id it is what was signed."""
    home = Home(folder)
    with Client.open(folder, {}) as client:
        installation = client.config.installation
    given = msgspec.structs.replace(record.request, installation_id=installation)
    body = msgspec.json.encode(msgspec.convert(given, ConsentRequest, from_attributes=True))
    asked = Asked(method="POST", path=PATH, body=body, installation=installation)
    signer = verify_request(record.signature, asked, int(record.server_time))
    assert signer.ed25519 == public_key_of(identity.load(home).ed25519_seed)


async def _records(client: Nats) -> list[bytes]:
    """The whole chain."""
    js = client.jetstream()
    state = (await js.stream_info(STREAM_CONSENT)).state
    assert state.first_seq == 1
    return [
        (await js.get_msg(STREAM_CONSENT, sequence)).data or b""
        for sequence in range(1, state.last_seq + 1)
    ]
