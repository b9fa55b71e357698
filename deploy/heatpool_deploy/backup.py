"""`heatpoolctl backup DIR` and `restore DIR`: everything that a pool cannot make again.

In: a running pool (or two empty servers), a folder of keys, a passphrase. Out: a folder: snapshots
of all streams (buckets and objects are streams, too), the store in its native format, the keys
encrypted, and `backup.json` with the hash of each file, written last. Guarantee: a backup without
`backup.json` is none; a restore checks every hash first and touches nothing that is not empty.

TELEMETRY is saved before the registry and the registry before the store: what a writer had not
acknowledged then is delivered again after a restore, and changes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec
import nacl.exceptions
from nacl import pwhash
from nacl.secret import SecretBox

from heatpool_chassis.bus import CONTROL_TIMEOUT_S
from heatpool_contract import subjects
from heatpool_deploy import snapshots
from heatpool_deploy.snapshots import Shape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.client import Client

    from heatpool_chassis.victoria import Victoria

MANIFEST: Final = "backup.json"
STORE_FILE: Final = "victoria.native"
KEYS_FILE: Final = "keys.sealed"
SCHEMA: Final = 1
EVERYTHING: Final = '{__name__!=""}'
READ_BYTES: Final = 1024 * 1024
KEYS_BYTES_MAX: Final = 1024 * 1024  # a dozen keys and trust files
_FIRST: Final = (subjects.STREAM_TELEMETRY, subjects.STREAM_DEADLETTER)


class BackupError(Exception):
    """The backup cannot be made, read or restored; the text says why."""


class File(msgspec.Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`backup.json`."""

    schema: int = SCHEMA
    created_ms: int
    streams: dict[str, Shape]
    files: dict[str, File]


async def backup(
    client: Client,
    store: Victoria,
    keys: Path | None,
    seal: Callable[[bytes], bytes],
    folder: Path,
    now_ms: int,
) -> Manifest:
    """Write a backup into `folder`, which must not hold one.

    Raises:
        BackupError: it does.
        BusUnavailableError, StoreUnavailableError: a part broke off.
    """
    _prepare(folder)
    shapes: dict[str, Shape] = {}
    files: dict[str, File] = {}
    for stream in await _streams(client):
        saved = await snapshots.save(client, stream, folder / f"{stream}.stream")
        shapes[stream] = saved.shape
        files[f"{stream}.stream"] = File(saved.bytes, saved.sha256)
    files[STORE_FILE] = await _written(folder / STORE_FILE, store.export_native(EVERYTHING))
    if keys is not None:
        (folder / KEYS_FILE).write_bytes(seal(_packed(keys)))
        files[KEYS_FILE] = _file(folder / KEYS_FILE)
    manifest = Manifest(created_ms=now_ms, streams=shapes, files=files)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


async def restore(
    client: Client,
    store: Victoria,
    keys: Path | None,
    unseal: Callable[[bytes], bytes],
    folder: Path,
) -> Manifest:
    """Bring a backup back onto empty servers.

    Raises:
        BackupError: it is damaged, or something is there already.
    """
    manifest = checked(folder)
    if existing := set(await _streams(client)) & set(manifest.streams):
        raise BackupError(f"streams exist already: {', '.join(sorted(existing))}")
    if await store.names(EVERYTHING, 0, manifest.created_ms / 1000 + 1):
        raise BackupError("the store is not empty")
    if keys is not None and KEYS_FILE in manifest.files:
        _unpacked(unseal((folder / KEYS_FILE).read_bytes()), keys)
    await store.import_native(_read(folder / STORE_FILE))
    for stream, shape in manifest.streams.items():
        await snapshots.restore(client, stream, shape, folder / f"{stream}.stream")
    return manifest


def checked(folder: Path) -> Manifest:
    """The manifest of a backup whose files are all as they were written.

    Raises:
        BackupError: they are not.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{folder} holds no backup: {error}") from error
    if manifest.schema != SCHEMA:
        raise BackupError(f"the backup has schema {manifest.schema}, this is {SCHEMA}")
    for name, file in manifest.files.items():
        if not (folder / name).is_file() or _file(folder / name) != file:
            raise BackupError(f"{name} is missing or damaged")
    return manifest


def sealer(passphrase: str, random: Callable[[int], bytes]) -> Callable[[bytes], bytes]:
    """Encrypt with a passphrase: XSalsa20-Poly1305, key by Argon2id (RFC 9106)."""

    def seal(plain: bytes) -> bytes:
        salt = random(pwhash.argon2id.SALTBYTES)
        return salt + SecretBox(_key(passphrase, salt)).encrypt(plain, random(SecretBox.NONCE_SIZE))

    return seal


def unsealer(passphrase: str) -> Callable[[bytes], bytes]:
    """The reverse of `sealer`."""

    def unseal(sealed: bytes) -> bytes:
        salt, box = sealed[: pwhash.argon2id.SALTBYTES], sealed[pwhash.argon2id.SALTBYTES :]
        try:
            return SecretBox(_key(passphrase, salt)).decrypt(box)
        except (nacl.exceptions.CryptoError, ValueError) as error:
            raise BackupError("the keys do not open: wrong passphrase?") from error

    return unseal


def _key(passphrase: str, salt: bytes) -> bytes:
    try:
        return pwhash.argon2id.kdf(
            SecretBox.KEY_SIZE,
            passphrase.encode(),
            salt,
            opslimit=pwhash.argon2id.OPSLIMIT_MODERATE,
            memlimit=pwhash.argon2id.MEMLIMIT_MODERATE,
        )
    except nacl.exceptions.ValueError as error:
        raise BackupError("the keys are damaged") from error


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (folder / MANIFEST).exists():
        raise BackupError(f"{folder} holds a backup already")


async def _streams(client: Client) -> list[str]:
    """Names, in the order in which they have to be saved."""
    infos = await client.jetstream(timeout=CONTROL_TIMEOUT_S).streams_info()
    names = [info.config.name or "" for info in infos]
    return sorted(names, key=lambda name: (name not in _FIRST, name))


async def _written(path: Path, parts: AsyncIterator[bytes]) -> File:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for part in parts:
            digest.update(part)
            size += file.write(part)
    return File(size, digest.hexdigest())


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            yield part


def _file(path: Path) -> File:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return File(path.stat().st_size, digest.hexdigest())


def _packed(keys: Path) -> bytes:
    """Every file of the folder, with its relative name."""
    found = {path.relative_to(keys).as_posix(): path for path in keys.rglob("*") if path.is_file()}
    if sum(path.stat().st_size for path in found.values()) > KEYS_BYTES_MAX:
        raise BackupError(f"{keys} is too large for a folder of keys")
    return msgspec.json.encode({name: path.read_bytes() for name, path in found.items()})


def _unpacked(packed: bytes, keys: Path) -> None:
    if keys.exists():
        raise BackupError(f"{keys} exists already")
    files = msgspec.json.decode(packed, type=dict[str, bytes])
    for name, content in files.items():
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise BackupError(f"a key file has an unsafe name: {name!r}")
        path = keys / relative
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(content)
