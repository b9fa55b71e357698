"""Ports for processes that are started on this machine a moment later.

In: nothing. Out: TCP ports of loopback that are free, and stay so until they are used.
Guarantee: a port is given out once on this machine while the process that asked lives, and no
outgoing connection is given it as its own. (A port that the kernel chose for a probe has neither: a
connection of the next moment may hold it when the server wants it.)
"""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Below Linux' range of source ports (ip_local_port_range, 32768 and up), above those of services.
PORTS: Final = range(15_000, 32_000)


def free_port(ports: Sequence[int] = PORTS) -> int:
    """One of `ports` for a server on 127.0.0.1.

    Raises:
        RuntimeError: none is free.
    """
    offset = random.SystemRandom().randrange(len(ports))
    for step in range(len(ports)):
        port = ports[(offset + step) % len(ports)]
        if _reserve(port):
            return port
    raise RuntimeError(f"none of {len(ports)} ports is free")


def _reserve(port: int) -> bool:
    """Whether nobody listens on `port` and no other process has reserved it."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0heatpool-port-{port}")  # abstract (unix(7)): no file, gone with the process
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        mark.close()
        return False
    mark.detach()  # nobody closes it: the kernel releases the mark when this process ends
    return True
