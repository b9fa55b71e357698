"""Ports for servers are given out once, where no outgoing connection is given one."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from heatpool_deploy.free_ports import PORTS, free_port

ASK = "from heatpool_deploy.free_ports import free_port; print([free_port() for _ in range(50)])"


def test_no_port_is_given_out_twice_while_its_owner_lives() -> None:
    """Four processes that ask at once, and this one, get ports of their own."""
    own = [free_port() for _ in range(50)]
    askers = [
        subprocess.Popen(
            [sys.executable, "-c", f"{ASK}; input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    lines = [asker.stdout.readline() for asker in askers if asker.stdout]
    for asker in askers:
        asker.communicate("\n")

    given = own + [int(port) for line in lines for port in line.strip("[]\n").split(",")]

    assert len(given) == 250
    assert len(set(given)) == 250


def test_a_port_in_use_is_not_given_out() -> None:
    """Of two ports, one of them listened on, the other is chosen, once."""
    with socket.socket() as listener, socket.socket() as probe:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        probe.bind(("127.0.0.1", 0))
        busy, free = listener.getsockname()[1], probe.getsockname()[1]
        probe.close()

        assert free_port((busy, free)) == free
        with pytest.raises(RuntimeError, match="none of 2 ports"):
            free_port((busy, free))


def test_the_kernel_takes_no_source_port_from_the_range() -> None:
    """Outgoing connections of this machine have ports above the range."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert first >= PORTS.stop
