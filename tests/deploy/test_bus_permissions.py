"""Least privilege on the bus: a real nats-server with the configuration that `init` writes."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from typing import TYPE_CHECKING

import nkeys
import pytest
from conftest import TEST_SIZES
from forbidden import ATTEMPTS, Attempt
from pool import Pool
from region import certificate

from heatpool_chassis import bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import SERVICES, Role, imported, permissions_of
from heatpool_chassis.probing import probe
from heatpool_deploy import bus_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nats.aio.client import Client


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A nats-server with accounts, its streams provisioned."""
    pool = Pool(tmp_path_factory.mktemp("pool"), sizes=TEST_SIZES)
    pool.start(["nats"])
    yield pool
    pool.kill("nats")


async def connected(pool: Pool, role: Role, life: Lifecycle) -> Client:
    """A connection with the rights of a role."""
    return await bus.connect(life, pool.stack.nats_url, pool.stack.identity(role), buffered=True)


async def held(pool: Pool) -> dict[str, object]:
    """Configuration and state of every stream, and consumers."""
    client = await pool.connect()
    js = client.jetstream()
    found: dict[str, object] = {}
    for info in await js.streams_info():
        name = info.config.name or ""
        state = info.state
        consumers = [one.config for one in await js.consumers_info(name)]
        found[name] = (info.config, state.messages, state.last_seq, consumers)
    await client.close()
    return found


@pytest.mark.parametrize("role", [*SERVICES, Role.VIEWER])
async def test_every_forbidden_action_is_a_violation(guarded: Pool, role: Role) -> None:
    """Each row of the table is refused by name, and nothing has changed afterwards."""
    before = await held(guarded)
    life = Lifecycle(role)
    client = await connected(guarded, role, life)
    rows = [attempt for attempt in ATTEMPTS if attempt.role is role]
    allowed = []
    for attempt in rows:
        life.denied.clear()
        await _try(client, attempt)
        named = attempt.subject if role is Role.VIEWER else imported(attempt.subject)
        if not any(f'"{named.lower()}"' in text.lower() for text in life.denied):
            allowed.append(attempt)
    await client.close()

    assert rows
    assert allowed == []
    assert life.registry.get_sample_value("heatpool_bus_denied_total") == len(rows)
    assert await held(guarded) == before


async def _try(client: Client, attempt: Attempt) -> None:
    if attempt.verb == "subscribe":
        await client.subscribe(attempt.subject)
    else:
        await client.publish(attempt.subject, b"", reply=client.new_inbox())
    await bus.settled(client)


@pytest.mark.parametrize("role", SERVICES)
async def test_the_probe_finds_nothing_missing_and_changes_nothing(
    guarded: Pool, role: Role
) -> None:
    """What a service sends at its start to try its rights leaves no trace."""
    before = await held(guarded)
    life = Lifecycle(role)
    client = await connected(guarded, role, life)

    await probe(client, life, role)
    await client.close()

    assert await held(guarded) == before


@pytest.mark.parametrize("role", SERVICES)
async def test_the_servers_answers_cannot_be_led_elsewhere(guarded: Pool, role: Role) -> None:
    """Whatever a service may ask, with somebody else's subject as the place for the answer.

    The operator, who shares the account with the streams, shows that the attack works there.
    """
    operator = await guarded.connect()
    targets = await _targets(operator, role)
    service = await connected(guarded, role, Lifecycle(role))
    asked = [subject for subject in permissions_of(role).publish if "PURGE" not in subject]
    for subject in asked:
        for target in targets:
            await service.publish(_literal(subject), _request(subject), reply=target)
    await bus.settled(service)
    await service.close()
    reached = await _reached(operator, targets)
    await operator.publish("$JS.API.STREAM.INFO.CONSENT", b"", reply="$KV.TRUST.led")
    await bus.settled(operator)
    possible = await _reached(operator, ["$KV.TRUST.led"])
    await operator.close()

    assert len(asked) * len(targets) > 50
    assert reached == []
    assert possible == ["$KV.TRUST.led"]


async def _targets(operator: Client, role: Role) -> list[str]:
    """Subjects of streams on which the role may not publish; there is something to be read."""
    await operator.jetstream().publish("telemetry.led.some", b"{}")
    led = f"led-{role}"
    subjects = [
        "consent", f"telemetry.{led}.home", f"deadletter.{led}", f"$KV.INSTALLATIONS.{led}",
        f"$KV.RELEASES.{led}", f"$KV.COMMUNITY.{led}", f"$KV.TRAINING.{led}", f"$O.MODELS.C.{led}",
    ]  # fmt: skip
    own = permissions_of(role).publish
    return [one for one in subjects if not any(_covers(pattern, one) for pattern in own)]


def _covers(pattern: str, subject: str) -> bool:
    """Whether the bus's wildcards take a subject in."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(given) > index
        if index >= len(given) or token not in {"*", given[index]}:
            return False
    return len(given) == len(wanted)


def _literal(subject: str) -> str:
    return subject.replace("*", "led").replace(">", "led")


def _request(subject: str) -> bytes:
    """What gets an answer with content, or, for the batches, several."""
    if "DIRECT.GET" in subject:
        return b'{"seq":1,"next_by_subj":">","batch":2}'
    return b'{"seq":1}' if "MSG.GET" in subject else b""


async def _reached(operator: Client, targets: list[str]) -> list[str]:
    """Those of the subjects under which something is stored."""
    js = operator.jetstream()
    found = set()
    for info in await js.streams_info():
        state = (await js.stream_info(info.config.name or "", subjects_filter=">")).state
        found |= set(state.subjects or {})
    return [one for one in targets if one in found]


async def test_a_stranger_is_told_at_once(guarded: Pool) -> None:
    """A seed that the server does not know is no reason to try again for half a minute."""
    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER).decode()
    for identity in (bus.Identity(seed), bus.Identity()):
        with pytest.raises(bus.PermissionMissingError, match="NATS does not know"):
            async with asyncio.timeout(5):
                await bus.connect(
                    Lifecycle("ingest"), guarded.stack.nats_url, identity, buffered=True
                )


def test_a_service_without_a_right_ends_with_its_name(guarded: Pool) -> None:
    """The edge's right to publish telemetry is taken away: it says so, and does not start."""
    stack, conf = guarded.stack, guarded.stack.state / bus_users.AUTHORIZATION_FILE
    whole = conf.read_text()
    conf.write_text(whole.replace('allow: ["telemetry.*.*", ', "allow: [", 1))
    try:
        guarded.kill("nats")
        guarded.start(["nats"])
        ended = subprocess.run(
            ["heatpool-ingest"],
            env=guarded.environment,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
    finally:
        conf.write_text(whole)
        guarded.kill("nats")
        guarded.start(["nats"])

    assert ended.returncode == 1
    assert "bus_permission_missing" in ended.stderr
    assert 'publish to "telemetry.probe.probe"' in ended.stderr
    assert "Traceback" not in ended.stderr
    assert stack.secret(bus_users.seed_file("ingest")) not in ended.stderr + ended.stdout


def test_the_server_configuration_holds_no_secret(guarded: Pool) -> None:
    """Public keys only; a seed begins with SU."""
    text = (guarded.stack.state / bus_users.AUTHORIZATION_FILE).read_text()
    seeds = [guarded.stack.secret(bus_users.seed_file(role)) for role in bus_users.USERS]

    assert not any(seed in text for seed in seeds)
    assert len(set(seeds)) == len(bus_users.USERS)
    for role in bus_users.USERS:
        path = guarded.stack.keys / bus_users.seed_file(role)
        assert path.stat().st_mode & 0o777 == 0o600


def test_users_made_once_are_kept(guarded: Pool) -> None:
    """A second `init` changes no key: services need no restart."""
    first = bus_users.make_users(guarded.stack.keys, secrets.token_bytes)

    assert bus_users.make_users(guarded.stack.keys, secrets.token_bytes) == first


async def test_with_certificates_the_bus_speaks_tls_only(tmp_path: Path) -> None:
    """A folder of files is all it takes; who trusts another authority is not connected."""
    folder = tmp_path / "pool" / "tls"
    certificate(folder)
    pool = Pool(tmp_path / "pool", sizes=TEST_SIZES)
    try:
        await asyncio.to_thread(pool.start, ["nats"])
        client = await connected(pool, Role.WRITER, Lifecycle(Role.WRITER))
        await probe(client, Lifecycle(Role.WRITER), Role.WRITER)
        required = client._server_info["tls_required"]
        await client.close()
        other = tmp_path / "other"
        certificate(other)
        distrustful = bus.Identity(pool.stack.identity(Role.WRITER).seed, other / "ca.pem")
        stopping = Lifecycle(Role.WRITER)
        asyncio.get_running_loop().call_later(2, stopping.stopping.set)
        with pytest.raises(bus.BusUnavailableError):
            await bus.connect(stopping, pool.stack.nats_url, distrustful, buffered=True)
    finally:
        pool.kill("nats")

    assert pool.stack.nats_url.startswith("tls://")
    assert required
    assert "HEATPOOL_WRITER_NATS_CA" in pool.environment
