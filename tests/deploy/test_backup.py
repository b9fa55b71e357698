"""Backup and restore between real servers: what comes back is what was there."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from conftest import TEST_SIZES
from servers import NatsServer, VictoriaServer

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.topology import topology
from heatpool_chassis.victoria import Victoria, VictoriaUrls
from heatpool_contract import subjects
from heatpool_deploy import backup as backups
from heatpool_deploy.backup import BackupError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client

PASSPHRASE = "correct horse battery staple"
SEAL = backups.sealer(PASSPHRASE, secrets.token_bytes)
UNSEAL = backups.unsealer(PASSPHRASE)
NOW_MS = int(time.time()) * 1000
SUM = 'sum(sum_over_time({__name__=~"heatpump_.*"}[2h]))'
COUNT = 'sum(count_over_time({__name__=~"heatpump_.*"}[2h]))'


class Servers:
    """A bus and a store."""

    def __init__(self, nats: NatsServer, victoria: VictoriaServer, client: Client) -> None:
        self.nats = nats
        self.client = client
        self.store = Victoria(VictoriaUrls(victoria.url, victoria.url, victoria.url))


@pytest.fixture
async def full(
    nats_server: NatsServer, own_victoria: VictoriaServer, bus: Client
) -> AsyncIterator[Servers]:
    """A pool with something of everything."""
    servers = Servers(nats_server, own_victoria, bus)
    js = bus.jetstream()
    for number in range(20):
        headers = {"Nats-Msg-Id": str(number)}
        await js.publish("telemetry.aero.home", bytes([number]) * 50_000, headers=headers)
    writer = await js.pull_subscribe_bind(subjects.DURABLE_WRITER, stream=subjects.STREAM_TELEMETRY)
    for message in await writer.fetch(12, timeout=5):
        await message.ack_sync()
    await (await js.key_value(subjects.KV_INSTALLATIONS)).put("home", b"{}")
    await (await js.object_store(subjects.OBJECTS_MODELS)).put("aero/hash", b"release" * 5000)
    line = {
        "metric": {"__name__": "heatpump_power", "installation": "home"},
        "values": [i / 8 for i in range(3000)],
        "timestamps": [NOW_MS - 1000 * i for i in range(3000)],
    }
    async with servers.store as store:
        await store.import_lines([msgspec.json.encode(line)])
        await store.force_flush()
        yield servers


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Servers]:
    """Two servers that nobody has used."""
    nats, victoria = NatsServer(tmp_path / "nats2"), VictoriaServer(tmp_path / "victoria2")
    nats.start()
    victoria.start()
    client = await chassis_bus.connect(
        Lifecycle("test"), nats.url, chassis_bus.Identity(), buffered=True
    )
    servers = Servers(nats, victoria, client)
    async with servers.store:
        yield servers
    await client.close()
    nats.stop()
    victoria.stop()


async def test_a_restored_pool_has_the_same_sums_and_goes_on_where_it_was(
    full: Servers, empty: Servers, tmp_path: Path
) -> None:
    """Series, messages with their sequences, acknowledgements, buckets, objects, keys."""
    keys = tmp_path / "keys"
    (keys / "offline").mkdir(parents=True)
    (keys / "token").write_text("t0ken")
    (keys / "offline" / "root_1").write_bytes(bytes(range(256)))
    folder = tmp_path / "backup"

    await backups.backup(full.client, full.store, keys, SEAL, folder, NOW_MS)
    await backups.restore(empty.client, empty.store, tmp_path / "keys2", UNSEAL, folder)
    await empty.store.force_flush()

    for expression in (SUM, COUNT):
        at_s = NOW_MS / 1000 + 1
        before = (await full.store.query(expression, at_s))[0].value
        assert (await empty.store.query(expression, at_s))[0].value == before
    assert float((await empty.store.query(COUNT, NOW_MS / 1000 + 1))[0].value[1]) == 3000
    js = empty.client.jetstream()
    state = (await js.stream_info(subjects.STREAM_TELEMETRY)).state
    assert (state.first_seq, state.last_seq, state.messages) == (1, 20, 20)
    assert (await js.get_msg(subjects.STREAM_TELEMETRY, seq=7)).data == bytes([6]) * 50_000
    writer = await js.pull_subscribe_bind(subjects.DURABLE_WRITER, stream=subjects.STREAM_TELEMETRY)
    assert (await writer.fetch(1, timeout=5))[0].metadata.sequence.stream == 13
    assert (await (await js.key_value(subjects.KV_INSTALLATIONS)).get("home")).value == b"{}"
    objects = await js.object_store(subjects.OBJECTS_MODELS)
    assert (await objects.get("aero/hash")).data == b"release" * 5000
    assert (tmp_path / "keys2" / "offline" / "root_1").read_bytes() == bytes(range(256))
    assert (tmp_path / "keys2" / "token").stat().st_mode & 0o777 == 0o600
    assert await chassis_bus.provision(empty.client, topology(TEST_SIZES)) == []


async def test_a_backup_holds_no_key_in_the_clear(full: Servers, tmp_path: Path) -> None:
    """And opens with its passphrase only."""
    keys, folder = tmp_path / "keys", tmp_path / "backup"
    keys.mkdir()
    (keys / "token").write_text("t0ken-in-the-clear")
    packed = b'{"token":"dDBrZW4taW4tdGhlLWNsZWFy"}'  # base64 of it
    await backups.backup(full.client, full.store, keys, SEAL, folder, NOW_MS)
    sealed = (folder / backups.KEYS_FILE).read_bytes()

    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"t0ken" not in everything
    assert packed not in everything
    assert UNSEAL(sealed) == packed
    with pytest.raises(BackupError, match="wrong passphrase"):
        backups.unsealer(PASSPHRASE + "!")(sealed)
    with pytest.raises(BackupError):
        UNSEAL(sealed[:10])


@pytest.mark.parametrize("name", ["TELEMETRY.stream", backups.STORE_FILE, backups.MANIFEST])
async def test_a_damaged_backup_is_refused_before_anything_is_touched(
    full: Servers, empty: Servers, tmp_path: Path, name: str
) -> None:
    """One byte more is enough."""
    folder = tmp_path / "backup"
    await backups.backup(full.client, full.store, None, SEAL, folder, NOW_MS)
    with (folder / name).open("ab") as file:
        file.write(b"x")

    with pytest.raises(BackupError, match=r"damaged|no backup"):
        await backups.restore(empty.client, empty.store, None, UNSEAL, folder)

    assert await empty.client.jetstream().streams_info() == []


async def test_a_restore_overwrites_nothing(full: Servers, tmp_path: Path) -> None:
    """Neither does a backup."""
    folder = tmp_path / "backup"
    await backups.backup(full.client, full.store, None, SEAL, folder, NOW_MS)

    with pytest.raises(BackupError, match="exist already"):
        await backups.restore(full.client, full.store, None, UNSEAL, folder)
    with pytest.raises(BackupError, match="already"):
        await backups.backup(full.client, full.store, None, SEAL, folder, NOW_MS)
