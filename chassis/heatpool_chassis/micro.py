"""The operators' plane: every process is a NATS micro service (ADR-32), seen by `nats service ls`.

In: endpoints, each a name, a request Struct, a handler, a response Struct. Out: JSON answers on
`heatpool.<service>.<name>`; `$SRV.PING|INFO|STATS`; `status` and `drain` of every process.
Guarantee: a request that is no such Struct never reaches a handler; an answer is either the
response or a code in `Nats-Service-Error-Code`; an unforeseen error is logged here and says no
more than its type to the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import nats.errors
from nats.micro import add_service
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER, ServiceError
from nats.micro.service import EndpointConfig, ServiceConfig

from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.micro.request import Request
    from nats.micro.service import Service
    from structlog.stdlib import BoundLogger

    from heatpool_chassis.lifecycle import Lifecycle

HANDLER_S_MAX: Final = 10.0
"""An endpoint answers one request after the other: longer work is started, not waited for."""
GATHER_S: Final = 0.4
"""How long `gather` waits for the next answer; processes answer within milliseconds."""
_DESCRIPTIONS: Final = {
    "ingest": "takes submissions of loggers",
    "writer": "brings telemetry into VictoriaMetrics",
    "trainer": "makes and signs releases",
    "modelhub": "decides eligibility, hands out releases",
}


class Code(StrEnum):
    """Codes of refusals: what HTTP would say, as `nats service` users know it."""

    BAD_REQUEST = "400"
    NOT_FOUND = "404"
    CONFLICT = "409"
    INTERNAL = "500"
    UNAVAILABLE = "503"
    TIMEOUT = "504"


class EndpointError(Exception):
    """A refusal: a handler raises it, `ask` raises it at the other side."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code} {description}")
        self.code, self.description = code, description


Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an operator may ask of a service; made by `endpoint`."""

    name: str
    answer: Callable[[bytes], Awaitable[bytes]]
    description: str
    everyone: bool = False
    """True: every process answers. False: one of those of a service, whichever."""
    own_subject: bool = False
    """True: the subject ends with the instance's id, so that one process can be meant."""
    then: Callable[[], None] | None = None
    """Called when the answer is on its way."""


class Nothing(msgspec.Struct, frozen=True):
    """A request without content: `{}`, or no bytes at all."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How one process is."""

    service: str
    instance: str
    version: str
    ready: bool
    stopping: bool
    checks: dict[str, bool]
    up_s: float
    figures: dict[str, float]
    """Every counter and gauge of the process, as `name{label="value"}`."""


class Draining(msgspec.Struct, frozen=True):
    """The process will finish what it holds and end."""

    instance: str


def endpoint(
    name: str, request: type[Q], handler: Callable[[Q], Awaitable[A]], description: str
) -> Endpoint:
    """An endpoint whose handler takes and gives Structs; what it refuses it raises."""
    decoder = msgspec.json.Decoder(request)

    async def answer(data: bytes) -> bytes:
        try:
            asked = decoder.decode(data or b"{}")
        except msgspec.DecodeError as error:
            raise EndpointError(Code.BAD_REQUEST, str(error)) from error
        return msgspec.json.encode(await handler(asked))

    return Endpoint(name=name, answer=answer, description=description)


async def register(
    client: Client, life: Lifecycle, log: BoundLogger, *endpoints: Endpoint
) -> Service:
    """Answer operators for as long as `client` is connected.

    The service is never taken back: a process that drains still says how far it is.
    """
    service = await add_service(
        client,
        ServiceConfig(
            name=f"heatpool-{life.service}",
            version=version("heatpool-chassis"),
            description=_DESCRIPTIONS.get(life.service, life.service),
            metadata={"host": socket.gethostname(), "pid": str(os.getpid())},
        ),
    )
    for added in (*_own(life, service.id), *endpoints):
        await _add(service, life, log, added)
    await client.flush()
    return service


def subject(service: str, name: str, instance: str = "") -> str:
    """Where an endpoint listens."""
    return ".".join((subjects.PREFIX_OPERATORS, service, name, *filter(None, [instance])))


async def ask(client: Client, to: str, request: msgspec.Struct, answer: type[A]) -> A:
    """One request, one answer.

    Raises:
        EndpointError: refused; `UNAVAILABLE` if nobody listens, `TIMEOUT` without an answer.
    """
    try:
        reply = await client.request(to, msgspec.json.encode(request), timeout=HANDLER_S_MAX + 1)
    except nats.errors.NoRespondersError as error:
        raise EndpointError(Code.UNAVAILABLE, f"nobody answers on {to}") from error
    except (TimeoutError, nats.errors.Error) as error:
        raise EndpointError(Code.TIMEOUT, f"no answer on {to}") from error
    return read_answer(reply, answer)


def read_answer(reply: Msg, answer: type[A]) -> A:
    """The response in a reply.

    Raises:
        EndpointError: it is a refusal, or no `answer`.
    """
    headers = reply.headers or {}
    if code := headers.get(ERROR_CODE_HEADER):
        raise EndpointError(code, headers.get(ERROR_HEADER, ""))
    try:
        return msgspec.json.decode(reply.data, type=answer)
    except msgspec.DecodeError as error:
        raise EndpointError(Code.INTERNAL, f"not an answer: {error}") from error


async def gather(client: Client, to: str, wait_s: float = GATHER_S) -> list[Msg]:
    """Answers of everyone who listens on `to`, until none comes for `wait_s`."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    await client.publish(to, b"", reply=inbox)
    replies = []
    with contextlib.suppress(TimeoutError):
        while not _is_nobody(reply := await subscription.next_msg(wait_s)):
            replies.append(reply)
    await subscription.unsubscribe()
    return replies


def _is_nobody(reply: Msg) -> bool:
    """Whether the server itself answered, because nobody listens."""
    return (reply.headers or {}).get("Status") == "503"


def _own(life: Lifecycle, instance: str) -> tuple[Endpoint, ...]:
    started_s = time.monotonic()

    async def status(_request: Nothing) -> Status:
        return Status(
            service=life.service,
            instance=instance,
            version=version("heatpool-chassis"),
            ready=life.ready,
            stopping=life.stopping.is_set(),
            checks=dict(life.checks),
            up_s=round(time.monotonic() - started_s, 1),
            figures=_figures(life),
        )

    async def drain(_request: Nothing) -> Draining:
        return Draining(instance)

    shown = endpoint("status", Nothing, status, "readiness, counters, gauges; of every process")
    ending = endpoint("drain", Nothing, drain, "finish what is at hand and end; of one process")
    return (
        msgspec.structs.replace(shown, everyone=True),
        msgspec.structs.replace(ending, own_subject=True, then=life.stopping.set),
    )


def _figures(life: Lifecycle) -> dict[str, float]:
    figures = {}
    for family in life.registry.collect():
        if family.type in {"counter", "gauge"}:
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    labels = ",".join(f'{key}="{text}"' for key, text in sample.labels.items())
                    figures[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return figures


async def _add(service: Service, life: Lifecycle, log: BoundLogger, added: Endpoint) -> None:
    async def answer(request: Request) -> None:
        work = asyncio.ensure_future(added.answer(request.data))
        # No handler may end the process or show its inside: the task's exception is looked at.
        done, _ = await asyncio.wait({work}, timeout=HANDLER_S_MAX)
        if not done:
            work.cancel()
            raise ServiceError(Code.TIMEOUT, f"took more than {HANDLER_S_MAX} s")
        failure = work.exception()
        if isinstance(failure, EndpointError):
            raise ServiceError(failure.code, failure.description) from failure
        if failure is not None:
            log.error("endpoint_failed", endpoint=added.name, exc_info=failure)
            raise ServiceError(Code.INTERNAL, type(failure).__name__)
        await request.respond(work.result())
        if added.then is not None:
            added.then()

    await service.add_endpoint(
        EndpointConfig(
            name=added.name,
            subject=subject(life.service, added.name, service.id if added.own_subject else ""),
            # nats-py has no endpoint without queue group: a group of one's own is the same.
            queue_group=service.id if added.everyone else None,
            metadata={"description": added.description},
            handler=answer,
        )
    )
