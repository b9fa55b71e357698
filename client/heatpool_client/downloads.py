"""A release's file, over as many attempts as a poor line needs.

In: a connection, the hash of the file. Out: its bytes. Guarantee: what arrived is kept beside the
models and the next attempt asks for the rest (`Range` with `If-Range`, RFC 9110, 13.1.5 and 14.2);
a server that sends all of it again is taken, too; the file is forgotten once it is complete, so
that a wrong one is not asked for twice. Nothing of it is believed here: `models` verifies it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from heatpool_client.connection import STATUS_ERROR, Unreachable, refusal
from heatpool_client.durable import FILE_MODE, FOLDER_MODE
from heatpool_client.faults import ClientError, Fault
from heatpool_client.retry import is_worth_repeating
from heatpool_contract.sealed import BLOB_BYTES_USUAL_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from heatpool_client.clock import Clock
    from heatpool_client.config import Config
    from heatpool_client.connection import Connection

DOWNLOAD_PATH: Final = "/api/v1/model/download"
DOWNLOAD_S_MAX: Final = 120.0
DOWNLOAD_RATE_MIN: Final = 1024.0  # bytes a second; GPRS has five times that
DOWNLOAD_GRACE_S: Final = 10.0  # before the rate means anything
STATUS_OK: Final = 200
STATUS_PARTIAL: Final = 206
STATUS_BEYOND: Final = 416


class Partial:
    """What has arrived of one file, in memory and on disk."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read what an earlier attempt left at `path`."""
        self._path = path
        self._clock = clock
        self._start_s = clock.monotonic_s()
        self._new = 0
        self.content = bytearray()
        with suppress(OSError), path.open("rb") as file:
            self.content += file.read(BLOB_BYTES_USUAL_MAX)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """An answer comes: is it the rest, or all of it again?

        Raises:
            ClientError: `answer_garbled`, some other part.
        """
        if status == STATUS_PARTIAL:
            asked = f"bytes {len(self.content)}-"
            if not headers.get("content-range", "").startswith(asked):
                raise ClientError(Fault.ANSWER_GARBLED, DOWNLOAD_PATH, "another range")
        elif status < STATUS_ERROR:
            self.forget()

    def take(self, chunk: bytes) -> None:
        """Keep a piece.

        Raises:
            Unreachable: too slow.
            ClientError: `answer_garbled`, above the cap.
        """
        self._new += len(chunk)
        elapsed_s = self._clock.monotonic_s() - self._start_s
        if elapsed_s > DOWNLOAD_GRACE_S and self._new < elapsed_s * DOWNLOAD_RATE_MIN:
            raise Unreachable(f"{self._new} bytes in {elapsed_s:.0f} s are too slow")
        self.content += chunk
        if len(self.content) > BLOB_BYTES_USUAL_MAX:
            self.forget()
            raise ClientError(
                Fault.ANSWER_GARBLED, DOWNLOAD_PATH, f"more than {BLOB_BYTES_USUAL_MAX} bytes"
            )
        with suppress(OSError):  # worth a repeated download, not a failed one
            self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                self._path.chmod(FILE_MODE)
                file.write(chunk)

    def forget(self) -> None:
        """Begin anew."""
        self.content.clear()
        with suppress(OSError):
            self._path.unlink()


def download(
    connection: Connection, config: Config, model_hash: str, folder: Path, clock: Clock
) -> bytes:
    """The file of a release; small and capped, so it is held in memory.

    Raises:
        Unreachable: not now, or too slow; what arrived is kept.
        Refused: not at all.
        ClientError: `answer_garbled` (above the cap, another part), `redirected`.
    """
    path = folder / f"{model_hash}.part"
    for other in folder.glob("*.part"):
        if other != path:
            with suppress(OSError):  # of a release that is no longer wanted
                other.unlink()
    partial = Partial(path, clock)
    params = {
        "installation_id": config.installation_id,
        "model": config.model,
        "hash": model_hash,
    }
    headers = {}
    if partial.content:
        headers = {"range": f"bytes={len(partial.content)}-", "if-range": f'"{model_hash}"'}
    try:
        answer = connection.fetch(
            DOWNLOAD_PATH,
            params,
            partial,
            headers=headers,
            bytes_max=BLOB_BYTES_USUAL_MAX,
            s_max=DOWNLOAD_S_MAX,
        )
    except ClientError as error:
        if error.code is Fault.ANSWER_GARBLED:  # beyond the cap: nothing to go on from
            partial.forget()
        raise
    if is_worth_repeating(answer.status):
        raise Unreachable(f"status {answer.status}, {refusal(answer).problem.code}")
    if answer.status == STATUS_BEYOND:
        partial.forget()
        raise Unreachable("the part that was kept is of another file")
    if answer.status >= STATUS_ERROR:
        raise refusal(answer)
    if answer.status not in (STATUS_OK, STATUS_PARTIAL):
        raise ClientError(Fault.ANSWER_GARBLED, connection.base_url, f"status {answer.status}")
    content = bytes(partial.content)
    partial.forget()
    return content
