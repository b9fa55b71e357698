"""The state folder of one installation: where its files are and how they are written.

In: the environment, bytes. Out: paths; files that only the owner can read. Guarantee: a file is
the old one or the new one, whole; secrets are never readable by others, not even for the moment
between creation and chmod.

    config.toml      settings
    token            access token
    identity.json    private keys
    consent.jsonl    consents given and withdrawn, in order
    CACHEDIR.TAG     says to backup programs: not this folder (`.nobackup`, too)
    trust.1.json     the trust file that came with the pool's address
    trust.json       the newest that was reached from it (`heatpool_client.trusted`)
    models/          opened models (`heatpool_client.models`)
    spool.db         readings that wait (`heatpool_client.spool`)
    sending.json     how sending went last (`heatpool_client.courier`)
    source.toml      what `heatpool run` reads (`heatpool_client.sources.opening`)
    alerts.toml      whom to tell what, and the broker (`heatpool_client.notifying`)
    updating.json    how the last update went (`heatpool_client.updating`)
    history.db       own readings and scores for the owner's page (`heatpool_client.history`)
    paused.json      until when nothing is sent (`heatpool_client.pausing`)
    web.json         the owner's page: hash of its password (`heatpool_client.web.guard`)
    consent_record.json  what the pool has recorded of them (`heatpool_client.consent_record`)
    erasure.json     an erasure, and how far the pool is (`heatpool_client.erasure`)
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import TYPE_CHECKING, Final

from heatpool_client.durable import FILE_MODE, FOLDER_MODE, Disk, put
from heatpool_client.faults import ClientError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMALL_FILE_BYTES_MAX: Final = 1024 * 1024  # 2,000 consents; everything else is far smaller


NOT_TO_BACK_UP: Final = {
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# State of heatpool: not to be backed up, see the client's README.\n",
    ".nobackup": "",
}
"""Heeded by tar, borg and restic (https://bford.info/cachedir); `.nobackup` by others."""


class Home:
    """Paths under one folder. Creating a `Home` touches nothing."""

    def __init__(self, root: Path) -> None:
        """`root` may not exist yet."""
        self.root = root
        self.config = root / "config.toml"
        self.token = root / "token"
        self.identity = root / "identity.json"
        self.consents = root / "consent.jsonl"
        self.trust_first = root / "trust.1.json"
        self.models = root / "models"
        self.spool = root / "spool.db"
        self.sending = root / "sending.json"
        self.source = root / "source.toml"
        self.alerts = root / "alerts.toml"
        self.updating = root / "updating.json"
        self.consent_record = root / "consent_record.json"
        self.erasure = root / "erasure.json"
        self.history = root / "history.db"
        self.paused = root / "paused.json"
        self.web = root / "web.json"

    def create(self) -> None:
        """Make the folder, for its owner alone, and mark it as not to be backed up.

        A backup that is played back would bring an old rollback floor, readings that were sent
        already, and on a second machine the same identity twice.

        Raises:
            ClientError: `state_unusable`.
        """
        try:
            self.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for name, content in NOT_TO_BACK_UP.items():
                if not (self.root / name).exists():
                    write_private(self.root / name, content.encode())
        except OSError as error:
            raise ClientError(Fault.STATE_UNUSABLE, self.root, error.strerror) from error


def find_home(given: Path | None, environ: Mapping[str, str]) -> Home:
    """`--home`, else `HEATPOOL_HOME`, else the XDG data folder.

    Source: XDG Base Directory Specification 0.8; relative values of its variables are ignored.
    """
    if given is not None:
        return Home(given)
    if named := environ.get("HEATPOOL_HOME"):
        return Home(Path(named))
    data = Path(environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return Home(data / "heatpool")


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` atomically and durably by a file of mode 0600.

    Raises:
        ClientError: `state_unusable`; the old file is untouched.
    """
    try:
        put(Disk(), path, content)
    except OSError as error:
        raise ClientError(Fault.STATE_UNUSABLE, path.parent, error.strerror) from error


def read_private(path: Path) -> bytes | None:
    """A secret of the owner; None if there is no such file.

    Raises:
        ClientError: `file_exposed`, others can read it; `state_unusable`.
    """
    try:
        with path.open("rb") as file:
            # Windows keeps no such bits: what stat says there is made up.
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ClientError(Fault.FILE_EXPOSED, path)
            return file.read(SMALL_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClientError(Fault.STATE_UNUSABLE, path.parent, error.strerror) from error


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether no other process is here: two would send the same, for nothing.

    Raises:
        ClientError: `state_unusable`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise ClientError(Fault.STATE_UNUSABLE, path.parent, error.strerror) from error
    with os.fdopen(descriptor, "rb+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
