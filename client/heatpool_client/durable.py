"""Files that are whole: every write is either there after a power cut, or was never made.

In: a path and its content. Out: a file of mode 0600 in a folder of mode 0700. Guarantee: a reader
sees the old content or the new one; when `put` returns, the new one survives a power cut.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from typing import TYPE_CHECKING, Final

from heatpool_contract.rejects import Reject, SealRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class Disk:
    """The few ways in which the client changes a disk, each durable when it returns.

    A seam, because the tests cut the power at each of these calls.
    """

    def write(self, path: Path, content: bytes) -> None:
        """A new file, on the platters."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` atomically, and make the folder's new entry durable."""
        source.replace(target)
        _sync(target.parent)

    def remove(self, path: Path) -> None:
        """Litter, hence not durable."""
        path.unlink()


def put(disk: Disk, path: Path, content: bytes) -> None:
    """Replace the file at `path`, or leave it as it is and raise OSError."""
    unfinished = path.with_name(f"{path.name}.new")
    disk.write(unfinished, content)
    disk.rename(unfinished, path)


def read_capped(path: Path, bytes_max: int) -> bytes:
    """The file's content.

    Raises:
        FileNotFoundError: there is none.
        SealRefused: `size`, `storage`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SealRefused(Reject.STORAGE, str(error)) from error
    if len(content) > bytes_max:
        raise SealRefused(Reject.SIZE, f"{path.name}: more than {bytes_max} bytes")
    return content


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time: the logger's update and somebody at the command line.

    Makes the folder, readable for its owner only.

    Raises:
        SealRefused: `storage`.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            _sync(folder.parent)
        folder.chmod(FOLDER_MODE)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise SealRefused(Reject.STORAGE, str(error)) from error
    with os.fdopen(descriptor, "rb+") as lock:
        flock(lock, LOCK_EX)
        yield


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
