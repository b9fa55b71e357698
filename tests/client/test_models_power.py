"""No power cut, full disk, second process or kill leaves half a model."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from simulators.logger import IDENTITY, activate, doubling, store_in
from simulators.publisher import CLIENT_VERSION, MODEL

from heatpool_client.durable import Disk
from heatpool_client.models import ModelStore
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.sealed import Floor

TESTS = Path(__file__).parent.parent


class PowerCut(BaseException):
    """Not an Exception: nothing in the client may handle it."""


class FailingDisk(Disk):
    """A disk whose `fails_at`-th change goes wrong in one of several ways."""

    def __init__(self, fails_at: int, how: str) -> None:
        self.left = fails_at
        self.how = how

    def _fails(self) -> bool:
        self.left -= 1
        return self.left == 0

    def _fail(self) -> None:
        if self.how == "full":
            raise OSError(errno.ENOSPC, "no space left")
        raise PowerCut

    def write(self, path: Path, content: bytes) -> None:
        """Fail before the file is there, or with half of it."""
        if self._fails():
            if self.how != "before":
                path.write_bytes(content[: len(content) // 2])
            self._fail()
        super().write(path, content)

    def rename(self, source: Path, target: Path) -> None:
        """Fail before the rename, or after it."""
        if self._fails():
            if self.how == "after":
                source.replace(target)
            self._fail()
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        """Fail before the file is gone."""
        if self._fails():
            self._fail()
        super().remove(path)


@pytest.mark.parametrize("how", ["before", "after", "full"])
def test_power_cut_at_every_change_leaves_the_old_model_or_the_new(
    tmp_path: Path, how: str
) -> None:
    """Whatever change of the disk is the last one, a whole model is active and the floor is its."""
    origin = tmp_path / "origin"
    for seq in (6, 7):
        activate(store_in(origin), doubling(seq))
    seen = set()
    for fails_at in range(1, 100):
        folder = tmp_path / str(fails_at)
        shutil.copytree(origin, folder)
        disk = FailingDisk(fails_at, how)
        with suppress(PowerCut, SealRefused):
            activate(store_in(folder, disk), doubling(8))

        store = store_in(folder)
        active, floor = store.active(), store.state().floor
        assert active is not None
        assert not active.is_previous
        assert floor == Floor(1, active.entry.seq)
        seen.add(active.entry.seq)
        activate(store, doubling(9))
        assert len(list(store.folder.glob("*.raw*"))) == 2
        if disk.left > 0:
            break
    assert disk.left > 0
    assert seen == {7, 8}


@pytest.mark.parametrize("how", ["before", "after", "full"])
def test_power_cut_during_the_first_update(tmp_path: Path, how: str) -> None:
    """A new logger has no model or a whole one, and the next update works."""
    for fails_at in range(1, 10):
        folder = tmp_path / str(fails_at)
        with suppress(PowerCut, SealRefused):
            activate(store_in(folder, FailingDisk(fails_at, how)), doubling(8))

        active, floor = store_in(folder).active(), store_in(folder).state().floor
        assert floor == (Floor(1, 8) if active else None)
        assert activate(store_in(folder), doubling(8)).entry.seq == 8


class Listing(Disk):
    """Lists what is changed."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def write(self, path: Path, content: bytes) -> None:
        """Note and do."""
        self.changes.append(f"write {path.suffix}")
        super().write(path, content)

    def remove(self, path: Path) -> None:
        """Note and do."""
        self.changes.append(f"remove {path.name}")
        super().remove(path)


def test_litter_goes_before_the_new_model_comes(tmp_path: Path) -> None:
    """What earlier power cuts left does not take the room that the update needs."""
    activate(store_in(tmp_path), doubling(7))
    (tmp_path / MODEL / "left.raw.new").write_bytes(b"half")
    disk = Listing()
    activate(store_in(tmp_path, disk), doubling(8))

    assert disk.changes == ["remove left.raw.new", "write .new", "write .new"]


def test_full_disk_does_not_hide_the_reason(tmp_path: Path) -> None:
    """A refusal that cannot be written down still reaches the caller, with a note."""
    activate(store_in(tmp_path), doubling(8))
    with pytest.raises(SealRefused) as refused:
        activate(store_in(tmp_path, FailingDisk(1, "full")), doubling(7))

    assert refused.value.code is Reject.ROLLBACK
    assert "could not be recorded" in refused.value.__notes__[0]


def test_two_at_once_do_not_tear_the_state(tmp_path: Path) -> None:
    """The update loop and somebody at the command line: one after the other, the floor only up."""

    def update(seq: int) -> int:
        try:
            return activate(store_in(tmp_path), doubling(seq)).entry.seq
        except SealRefused as refused:
            return 0 if refused.code is Reject.ROLLBACK else -1

    with ThreadPoolExecutor(4) as pool:
        activated = list(pool.map(update, range(1, 33)))

    active = store_in(tmp_path).active()
    assert active is not None
    assert active.entry.seq == max(activated) == 32
    assert min(activated) >= 0


CHILD = """
import sys
from pathlib import Path
from simulators import publisher as pub
from heatpool_client.models import Engine, ModelStore, Offer, OwnKeys
store = ModelStore(
    Path(sys.argv[1]), pub.MODEL, Engine(pub.ENGINE, bytes, lambda _: True), pub.CLIENT_VERSION
)
keys = OwnKeys(pub.HOME, pub.secret("home"))
floor = store.state().floor
start = floor.seq + 1 if floor else 1
noise = pub.dsse.pae("noise", b"") * 10_000
releases = [pub.release(noise + b"%d" % seq, seq=seq) for seq in range(start, start + 300)]
print("ready", flush=True)
for one in releases:
    offer = Offer(model_hash=one.model_hash, grant=one.grant())
    store.activate(one.blob, offer, keys, pub.TRUST, pub.NOW_S)
print("done", flush=True)
"""


def test_killed_process_leaves_a_whole_model(tmp_path: Path) -> None:
    """A real process is killed at random moments; each time a whole model is active."""
    random = Random(7)
    floors = [0]
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(random.uniform(0.01, 0.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
        store = ModelStore(tmp_path, MODEL, IDENTITY, CLIENT_VERSION)
        state, active = store.state(), store.active()
        if active is not None:
            assert not active.is_previous
            assert state.floor == Floor(1, active.entry.seq)
        floors.append(state.floor.seq if state.floor else 0)

    assert floors == sorted(floors)
    assert floors[-1] > 0
