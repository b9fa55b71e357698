"""The spool at its worst: killed, out of space, cut off in the middle of a write."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.faketime import FakeTime

from heatpool_client.spool import Spool
from heatpool_client.submission import Sender
from heatpool_client.waiting import Bounds
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from pathlib import Path

SENDER = Sender(InstallationId("5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"), "AERO SLM", "1.0")
WRITER = """
import resource, signal, sys
from pathlib import Path
from heatpool_client.clock import SYSTEM
from heatpool_client.faults import ClientError
from heatpool_client.spool import Spool
from heatpool_client.waiting import Bounds

path, first, bytes_max = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if bytes_max:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))
for number in range(first, first + 100_000 if not bytes_max else first + 60):
    try:
        spool = Spool(path, Bounds(), SYSTEM)
        spool.append([(number, b'{"timestamp":0,"a":%d,"%s":1}' % (number, b"x" * 500))])
        spool.close()
    except ClientError as error:
        print("failed", error.code, flush=True)
        continue
    print(number, flush=True)
"""


def stored(path: Path) -> list[int]:
    """Numbers of all records, in their order."""
    spool = Spool(path, Bounds(), FakeTime().clock())
    assert spool.waiting().counts.get("spool_damaged", 0) == 0
    found: list[int] = []
    while batch := spool.due(SENDER, 20_000):
        found += [int(msgspec.json.decode(one)["a"]) for one in batch.records]
        spool.done(batch, {})
    spool.close()
    return found


def test_a_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """SIGKILL, twenty times: what was reported as kept is there, once; at most one more."""
    path, kept, chance = tmp_path / "spool.db", [], Random(7)
    first = 0
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(first), "0"], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        said = [writer.stdout.readline()]  # it runs
        time.sleep(chance.random() / 20)
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.stdout.close()
        writer.wait()
        kept += [int(line) for line in said if line.endswith("\n")]
        first = kept[-1] + 2  # what was on its way may be there, too
    found = stored(path)
    assert len(set(found)) == len(found)
    assert set(kept) <= set(found)
    assert len(found) - len(kept) <= 20


@pytest.mark.parametrize("bytes_max", [4096, 20_000, 33_333, 41_000, 50_001])
def test_a_full_disk_loses_nothing_that_was_kept(tmp_path: Path, bytes_max: int) -> None:
    """Writes fail in the middle (EFBIG); errors are said, and with space again it goes on."""
    path = tmp_path / "spool.db"
    done = subprocess.run(
        [sys.executable, "-c", WRITER, path, "0", str(bytes_max)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip  # a command line
    lines = done.stdout.split("\n")
    assert "failed spool_unusable" in lines
    kept = [int(line) for line in lines if line.isdigit()]
    spool = Spool(path, Bounds(), FakeTime().clock())
    spool.append([(99, b'{"timestamp":0,"a":9999}')])
    spool.close()
    assert stored(path) == [*kept, 9999]


def test_a_power_cut_leaves_every_synced_record(tmp_path: Path) -> None:
    """The log ends at any byte after the last sync: all records before it are whole."""
    path, log = tmp_path / "spool.db", tmp_path / "spool.db-wal"
    spool = Spool(path, Bounds(), FakeTime().clock())
    sizes = []
    for number in range(12):
        spool.append([(number, b'{"timestamp":0,"a":%d}' % number)])
        sizes.append(log.stat().st_size)
    chance = Random(3)
    for attempt, cut in enumerate([*sizes, *(chance.randrange(sizes[-1]) for _ in range(60))]):
        copy = tmp_path / f"cut{attempt}"
        copy.mkdir()
        shutil.copy(path, copy / "spool.db")
        (copy / "spool.db-wal").write_bytes(log.read_bytes()[:cut] + b"\0" * chance.randrange(5000))
        found = stored(copy / "spool.db")
        assert found == list(range(len(found)))
        assert len(found) >= sum(size <= cut for size in sizes)
    spool.close()
