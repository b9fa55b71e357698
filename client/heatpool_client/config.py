"""What the owner has decided: one frozen Struct from `config.toml` and the environment.

In: TOML, `HEATPOOL_*` variables. Out: a `Config`, an access token. Guarantee: an unknown key or an
illegal value is an error that names it; the token stands in a file of its own and shows in no repr.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import msgspec

from heatpool_client.faults import ClientError, Fault, Language
from heatpool_client.home import read_private
from heatpool_client.waiting import Bounds, Order
from heatpool_contract.identity import (
    InstallationId,
    ModelSlug,
    installation_id,
    is_version,
    model_slug,
)
from heatpool_contract.telemetry import FIELD_NAME, TIMESTAMP_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_client.home import Home

SUBMIT_PATH: Final = "/api/v1/submit"
ENVIRONMENT: Final = {
    "HEATPOOL_SERVER": "server",
    "HEATPOOL_HUB": "hub",
    "HEATPOOL_INSTALLATION_ID": "installation_id",
    "HEATPOOL_MODEL": "model",
    "HEATPOOL_VERSION": "version",
    "HEATPOOL_LANGUAGE": "language",
    "HEATPOOL_CA_FILE": "ca_file",
}
"""Variable -> key that it overrides. `HEATPOOL_TOKEN` and `HEATPOOL_HOME` are read elsewhere."""
_HOST: Final = re.compile(r"[A-Za-z0-9._:\-]{1,253}")  # names with umlauts in their xn-- form
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

Batch = Annotated[int, msgspec.Meta(ge=1, le=20_000)]


class Token(str):
    """An access token; it does not show itself in reprs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Token(...)"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one installation."""

    server: str
    """Base URL of the pool; the deployed loggers' spelling with `/api/v1/submit` is taken too."""
    installation_id: str
    model: str
    """Heat-pump model, `AERO SLM 6-17`."""
    version: str = "0.1.0"
    """Version of the logger, as sent."""
    hub: str | None = None
    """Base URL of the modelhub where it is not behind `server` (development)."""
    language: Language = "en"
    ca_file: str | None = None
    """Certificates to trust instead of the usual ones (a pool of one's own)."""
    allow_http: bool = False
    """Send over unencrypted HTTP to other machines than this one."""
    batch_records_max: Batch = 1440
    """Records of one request: a day of minutes."""
    exchange_s_max: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    """Deadline of one request with its answer."""
    retry_s_max: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 300.0
    """How long a submission is retried before the client gives up for now."""
    interval_s: Annotated[float, msgspec.Meta(ge=300, le=86_400)] = 3600.0
    """How often waiting readings are sent, and a tenth more or less."""
    order: Order = "oldest"
    """Which of the waiting readings go first."""
    spool_bytes_max: Annotated[int, msgspec.Meta(ge=1024**2, le=1024**4)] = 64 * 1024**2
    """Of waiting readings; then the oldest are dropped, and counted."""
    spool_days_max: Annotated[float, msgspec.Meta(ge=1, le=334)] = 90.0
    """Older readings are dropped, and counted; the pool keeps 334 days."""
    updates: bool = True
    """Look for a new detector once a day while the library runs."""
    columns: dict[str, str] = {}
    """Column of a table -> field that is sent."""
    drop: tuple[str, ...] = ()
    """Columns never to send."""

    def __post_init__(self) -> None:
        """Refuse values that the pool would refuse, before anything is sent."""
        base_url(self.server, allow_http=self.allow_http)
        if self.hub is not None:
            base_url(self.hub, allow_http=self.allow_http)
        if installation_id(self.installation_id) is None:
            raise ValueError("installation_id must be a lower-case UUID of version 4 or 8")
        if model_slug(self.model) is None:
            raise ValueError("model must have 1 to 64 letters, digits, blanks or _ - . ( )")
        if not is_version(self.version):
            raise ValueError("version must have 1 to 32 letters, digits or . _ + -")
        for field in self.columns.values():
            if not FIELD_NAME.fullmatch(field) or field == TIMESTAMP_FIELD:
                raise ValueError(f"columns: {field!r} cannot be the name of a field")

    @property
    def installation(self) -> InstallationId:
        """The canonical id."""
        return InstallationId(self.installation_id)

    @property
    def slug(self) -> ModelSlug:
        """The model's slug."""
        slug = model_slug(self.model)
        if slug is None:  # __post_init__ has seen to that
            raise AssertionError(self.model)
        return slug

    @property
    def bounds(self) -> Bounds:
        """Of the spool."""
        return Bounds(self.spool_bytes_max, self.spool_days_max * 86_400)

    @property
    def submit_url(self) -> str:
        """Base URL of the edge."""
        return base_url(self.server, allow_http=self.allow_http)

    @property
    def hub_url(self) -> str:
        """Base URL of the modelhub."""
        return base_url(self.hub or self.server, allow_http=self.allow_http)


def load(home: Home, environ: Mapping[str, str]) -> Config:
    """The file, overridden by the environment.

    Raises:
        ClientError: `not_initialised`, `config_invalid`, `state_unusable`.
    """
    try:
        raw = home.config.read_bytes()
    except FileNotFoundError as error:
        raise ClientError(Fault.NOT_INITIALISED, home.root) from error
    except OSError as error:
        raise ClientError(Fault.STATE_UNUSABLE, home.root, error.strerror) from error
    return parse(raw, environ)


def parse(raw: bytes, environ: Mapping[str, str]) -> Config:
    """TOML and environment to a `Config`.

    Raises:
        ClientError: `config_invalid`.
    """
    try:
        values = msgspec.toml.decode(raw, type=dict[str, object])
        values |= {key: environ[name] for name, key in ENVIRONMENT.items() if environ.get(name)}
        return msgspec.convert(values, Config)
    except ValueError as error:  # also msgspec's and the Struct's own
        raise ClientError(Fault.CONFIG_INVALID, error) from error


def encode(config: Config) -> bytes:
    """The inverse of `parse`; defaults are left out.

    JSON's strings, numbers and lists of strings are TOML's too, but for DEL, which TOML escapes.
    """
    lines: list[bytes] = []
    tables: list[bytes] = []
    for field in msgspec.structs.fields(Config):
        value = getattr(config, field.name)
        if value == field.default or value is None:
            continue
        if isinstance(value, dict):
            if value:
                tables.append(b"\n[%b]" % field.name.encode())
                tables += (_toml(key) + b" = " + _toml(text) for key, text in value.items())
        elif value != ():
            lines.append(field.name.encode() + b" = " + _toml(value))
    return b"\n".join((*lines, *tables, b""))


def read_token(home: Home, environ: Mapping[str, str]) -> Token:
    """`HEATPOOL_TOKEN`, else the token file.

    Raises:
        ClientError: `token_missing`, `file_exposed`, `config_invalid`.
    """
    text = environ.get("HEATPOOL_TOKEN")
    if not text:
        text = (read_private(home.token) or b"").decode("ascii", "replace").strip()
    if not text:
        raise ClientError(Fault.TOKEN_MISSING, home.token)
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ClientError(Fault.CONFIG_INVALID, "the token must be one word of printable ASCII")
    return Token(text)


def base_url(url: str, *, allow_http: bool) -> str:
    """`url` without a trailing slash or `/api/v1/submit`.

    Raises:
        ValueError: not https (http only to this machine, or if allowed), or more than a base.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if host is None or not _HOST.fullmatch(host) or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no https address")
    if parts.port == 0:  # reading it raises ValueError if it is no port at all
        raise ValueError(f"{url!r} has no usable port")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address has no user, query or fragment")
    if parts.scheme == "http" and not allow_http and host not in _LOOPBACK:
        raise ValueError(f"{url!r} is not encrypted; use https, or set allow_http")
    return url.rstrip("/").removesuffix(SUBMIT_PATH).rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _toml(value: object) -> bytes:
    return msgspec.json.encode(value).replace(b"\x7f", b"\\u007f")
