"""A process from start to end: signals, readiness, private port, deadline.

In: SIGTERM and SIGINT, the checks that the service reports. Out: `stopping`, `/health`,
`/health/ready` and `/metrics` on the private port, the exit status. Guarantee: readiness goes off
before anything closes; what does not end within the deadline is cancelled; an unknown error ends
the process with a traceback, because a supervisor restarts it and a half-dead one helps nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from heatpool_chassis.metrics import ProcessMetrics
from heatpool_chassis.one_write import OneWriteProtocol
from heatpool_chassis.supervision import Supervisor
from heatpool_contract.answers import Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        Scope,
    )

DRAIN_S_MAX: Final = 25.0  # below systemd's and compose's usual 30 s until SIGKILL
GRACEFUL_HTTP_S: Final = 20
DENIED_MAX: Final = 64  # a role has fewer subjects; at run time the newest tell enough


class Lifecycle:
    """State of the process that others ask for."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self.metrics = ProcessMetrics(self.registry)
        self.stopping = asyncio.Event()
        self.checks: dict[str, bool] = {"started": False}
        self.dispensable: set[str] = set()
        """Checks that are reported, but without which traffic may come all the same."""
        self.denied: deque[str] = deque(maxlen=DENIED_MAX)
        """What NATS refused for lack of permission, newest last."""
        self._servers: list[asyncio.Task[None]] = []

    def set_check(self, name: str, *, ok: bool) -> None:
        """Report a dependency as usable or not."""
        self.checks[name] = ok
        self.metrics.ready.labels(name).set(ok)

    @property
    def ready(self) -> bool:
        """Whether traffic may come: every indispensable dependency usable, not stopping."""
        return not self.stopping.is_set() and all(
            ok for name, ok in self.checks.items() if name not in self.dispensable
        )

    def health(self, *, readiness: bool) -> tuple[int, Health]:
        """Status and answer of the health routes."""
        ok = self.ready if readiness else True
        return 200 if ok else 503, Health(
            status="healthy" if ok else "unhealthy",
            service=self.service,
            checks=dict(self.checks) if readiness else {},
        )

    async def stopped_within(self, seconds: float) -> bool:
        """Sleep that ends early, and says so, when the process is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # Python 3.11's wait_for may lose a cancellation
                await self.stopping.wait()
        return self.stopping.is_set()

    async def serve(self, app: Callable[..., Awaitable[None]], host: str, port: int) -> None:
        """Serve an ASGI app beside the main loop until the process stops."""
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=OneWriteProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            lifespan="off",
            timeout_graceful_shutdown=GRACEFUL_HTTP_S,
            timeout_keep_alive=75,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(), name=f"http:{port}")
        while not server.started:
            if task.done():
                task.result()
                raise OSError(f"cannot listen on {host}:{port}")
            await asyncio.sleep(0.01)
        self._servers.append(asyncio.create_task(self._end_with_process(server, task)))

    async def _end_with_process(self, server: uvicorn.Server, task: asyncio.Task[None]) -> None:
        await self.stopping.wait()
        server.should_exit = True
        await task

    async def drained(self) -> None:
        """Wait until the HTTP servers have answered what they had accepted."""
        await asyncio.gather(*self._servers)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: one place decides when the process ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(life: Lifecycle, main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` until it ends by itself or a signal asks it to; then give it the deadline."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, life.stopping.set)
    work = asyncio.ensure_future(main())
    stop = asyncio.create_task(life.stopping.wait())
    supervisor = Supervisor()
    told = asyncio.create_task(supervisor.follow(life))
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    life.stopping.set()
    supervisor.tell("STOPPING=1")
    try:
        await asyncio.wait_for(work, DRAIN_S_MAX)
        await asyncio.wait_for(life.drained(), DRAIN_S_MAX)
    finally:
        stop.cancel()
        told.cancel()


def private_app(life: Lifecycle) -> ASGI3Application:
    """`/health`, `/health/ready` and `/metrics`, for the port that only operators reach."""

    async def app(scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        kind = b"application/json"
        if path == "/metrics":
            status, kind = 200, CONTENT_TYPE_LATEST.encode()
            body = generate_latest(life.registry)
        elif path in ("/health", "/health/ready"):
            status, health = life.health(readiness=path.endswith("ready"))
            body = msgspec.json.encode(health)
        else:
            status, body = 404, b""
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", kind)],
                "trailers": False,
            }
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app
