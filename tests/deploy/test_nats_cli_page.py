"""docs/operations/nats-cli.md: each command's request, sent to a whole running pool."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import nats.errors
import pytest
from pool import submission

from heatpool_chassis import bus, micro
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_chassis.permissions import Role, inbox
from heatpool_deploy import bus_users

if TYPE_CHECKING:
    from nats.aio.client import Client
    from pool import Pool

PAGE = Path(__file__).parent.parent.parent / "docs" / "operations" / "nats-cli.md"
ROW = re.compile(r"\| (\d+) \| `(nats [^`]+)` \| [^|]+ \| (\w+) \| `([^`]+)` \|")
SERVICES = 4
HOME = "aaaaaaaa-0000-4000-8000-000000000001"
READ = {"ack_policy": "none", "deliver_policy": "all", "inactive_threshold": 10**10}
ROLES = {"viewer": Role.VIEWER, "heatpool": Role.OPERATOR, "system": bus_users.SYSTEM}

pytestmark = pytest.mark.pipeline


class Row(NamedTuple):
    """One command of the page."""

    number: int
    command: str
    role: str
    subject: str


ROWS = [
    Row(int(number), command, role, subject)
    for number, command, role, subject in ROW.findall(PAGE.read_text("utf-8"))
]


def test_the_page_has_its_commands() -> None:
    """The table is what the test reads: a row that does not parse would go untested."""
    assert [row.number for row in ROWS] == list(range(1, 26))
    assert len({row.command for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.number}" for row in ROWS])
async def test_what_a_command_asks_is_answered_to_its_role(operated: Pool, row: Row) -> None:
    """No refusal, no error, and the answer that the command would show."""
    role = ROLES[row.role]
    life = Lifecycle(role)
    stack = operated.stack
    identity = bus.Identity(stack.secret(bus_users.seed_file(role)))
    client = await bus.connect(life, stack.nats_url, identity, buffered=True)
    try:
        found = await _asked(operated, client, row)
    finally:
        await client.close()

    assert found
    assert b'"error"' not in found
    assert list(life.denied) == []


async def _asked(pool: Pool, client: Client, row: Row) -> bytes:
    subject = row.subject
    if subject.endswith(".ADVISORY.>"):
        return await _advisory(pool, client, subject)
    if subject.endswith(".<id>"):
        return await _drained(pool, client, subject)
    if subject.startswith("$SRV") or subject.endswith((".status", ".models")):
        replies = await micro.gather(client, subject)
        assert len(replies) == (SERVICES if subject == "$SRV.PING" else 1)
        return replies[0].data
    if ".CONSUMER.CREATE." in subject:
        return await _read(client, subject.rpartition(".")[2])
    payload: dict[str, object] = {}
    if subject.endswith(".STREAM.MSG.GET.TELEMETRY"):
        payload = {"seq": 1}
    elif subject.endswith(".KV_INSTALLATIONS"):
        payload = {"last_by_subj": f"$KV.INSTALLATIONS.{await _pseudonym(client)}"}
    elif "subjects" in row.command:
        payload = {"subjects_filter": ">"}
    reply = await client.request(subject, msgspec.json.encode(payload), timeout=5)
    if "subjects" in row.command:
        assert b"telemetry.aero_slm." in reply.data
    return reply.data


async def _read(client: Client, stream: str) -> bytes:
    """As `view`, `ls` and `watch` do: a temporary consumer, read to its end."""
    request = {"stream_name": stream, "config": READ}
    subject = f"$JS.API.CONSUMER.CREATE.{stream}"
    reply = await client.request(subject, msgspec.json.encode(request), timeout=5)
    info = msgspec.json.decode(reply.data)
    if info["num_pending"]:
        js = client.jetstream()
        pull = await js.pull_subscribe_bind(info["name"], stream=stream)
        assert await pull.fetch(1, timeout=5)
    assert stream in {"KV_RELEASES", "KV_ERASURES", "OBJ_MODELS"} or info["num_pending"]
    return reply.data


async def _pseudonym(client: Client) -> str:
    keys = await (await client.jetstream().key_value("INSTALLATIONS")).keys()
    return keys[0]


async def _advisory(pool: Pool, client: Client, subject: str) -> bytes:
    """An operator creates a stream: whoever listens is told."""
    heard = await client.subscribe(subject)
    await client.flush()
    operator = await pool.connect()
    await operator.jetstream().add_stream(name="PASSING", subjects=["passing"])
    await operator.jetstream().delete_stream("PASSING")
    await operator.close()
    return (await heard.next_msg(timeout=5)).data


async def _drained(pool: Pool, client: Client, subject: str) -> bytes:
    """The process ends with status 0; its supervisor (here the test) starts it anew."""
    (reply,) = await micro.gather(client, "$SRV.PING.heatpool-modelhub")
    identity = msgspec.json.decode(reply.data)["id"]
    answer = await client.request(subject.replace("<id>", identity), b"", timeout=5)
    assert pool.processes.pop("modelhub").wait(timeout=40) == 0
    pool.start(("modelhub",))
    return answer.data


async def test_the_system_account_sees_no_message_of_the_pool(operated: Pool) -> None:
    """It has no JetStream, and a subscription to everything hears nothing of the pool."""
    identity = bus.Identity(operated.stack.secret(bus_users.seed_file(bus_users.SYSTEM)))
    client = await bus.connect(
        Lifecycle(bus_users.SYSTEM), operated.stack.nats_url, identity, buffered=True
    )
    everything = await client.subscribe("telemetry.>")
    await client.flush()
    now_s = int(time.time())
    operated.post(submission(HOME, [{"timestamp": now_s - 60, "power": 2}])).raise_for_status()
    reply = await client.request("$JS.API.STREAM.INFO.TELEMETRY", b"", timeout=5)
    with pytest.raises(nats.errors.TimeoutError):
        await everything.next_msg(timeout=0.5)
    await client.close()

    assert b"not enabled" in reply.data
    assert inbox(bus_users.SYSTEM) == "_INBOX_system"
