"""Environment -> one frozen Struct, read once in `__main__`.

In: `HEATPOOL_<SERVICE>_<FIELD>`, or `..._<FIELD>_FILE` naming a file that holds the value. Out: the
service's settings. Guarantee: all errors are reported at once; an unknown key with the service's
prefix is an error (a typo would else be a silent default); secrets have no default and no repr.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, get_type_hints

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_CHARS_MIN: Final = 16  # 64 bits even if it is only hex digits
WELL_KNOWN_SECRETS: Final = ("change-me", "changeme", "secret", "password", "example", "heatpool")
"""No secret may contain one of these: examples and defaults end up in production."""

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(Exception):
    """The environment does not describe a service. The text lists every fault, one a line."""


class Secret(str):
    """A string that does not show itself in reprs, logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


def load(settings_type: type[S], prefix: str, environ: Mapping[str, str]) -> S:
    """Read `settings_type` from `environ`; keys are `prefix` + the field's name in upper case.

    Tuples are written with blanks between their members.

    Raises:
        SettingsError: with all faults.
    """
    given = {key: value for key, value in environ.items() if key.startswith(prefix)}
    values: dict[str, object] = {}
    faults: list[str] = []
    hints = get_type_hints(settings_type)
    for field in msgspec.structs.fields(settings_type):
        key = prefix + field.name.upper()
        try:
            text = _read(given, key)
            if text is None:
                if field.required:
                    faults.append(f"{key}: is missing")
                continue
            values[field.name] = _convert(text, hints[field.name])
        except (ValueError, OSError, msgspec.ValidationError) as error:
            faults.append(f"{key}: {error}")
    faults += [f"{key}: is not a setting of this service" for key in sorted(given)]
    if not faults:
        try:
            return settings_type(**values)
        except ValueError as error:  # the Struct's own __post_init__
            faults.append(str(error))
    raise SettingsError("\n".join(faults))


_PASSWORD: Final = re.compile(r"(?<=//)([^/@:'\s]*):[^/@'\s]+@")


def described(settings: msgspec.Struct) -> dict[str, str]:
    """Effective values for the log at start, secrets and passwords in URLs masked."""
    return {
        name: "***" if _is_secret(value) else _PASSWORD.sub(r"\1:***@", str(value))
        for name, value in msgspec.structs.asdict(settings).items()
    }


def _is_secret(value: object) -> bool:
    return isinstance(value, Secret) or (
        isinstance(value, tuple) and any(isinstance(member, Secret) for member in value)
    )


def _read(given: dict[str, str], key: str) -> str | None:
    file_key = f"{key}_FILE"
    text, path = given.pop(key, None), given.pop(file_key, None)
    if text is not None and path is not None:
        raise ValueError(f"is set twice, also as {file_key}")
    return Path(path).read_text(encoding="utf-8").strip() if path is not None else text


def _convert(text: str, hint: object) -> object:
    if hint in {Secret, Secret | None}:
        return _secret(text)
    if hint == tuple[Secret, ...]:
        return tuple(_secret(part) for part in text.split())
    if hint == tuple[str, ...]:
        return tuple(text.split())
    if hint in {Path, Path | None}:
        return Path(text)
    return msgspec.convert(text, hint, strict=False)


def _secret(text: str) -> Secret:
    if len(text) < SECRET_CHARS_MIN:
        raise ValueError(f"must have at least {SECRET_CHARS_MIN} characters")
    if any(word in text.lower() for word in WELL_KNOWN_SECRETS):
        raise ValueError("is a well-known example, not a secret")
    return Secret(text)
