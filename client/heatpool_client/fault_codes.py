"""What can go wrong at a logger, by name, and the exit statuses of the commands. Values only."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple

Language = Literal["de", "en"]


class Exit(IntEnum):
    """Exit statuses of `heatpool`; the README documents them."""

    OK = 0
    BUG = 1  # a traceback: please report it
    USAGE = 2  # click's own
    SETUP = 3  # configuration, keys, state folder
    NO_CONSENT = 4
    INPUT = 5  # the file or its description
    UNREACHABLE = 6  # later might do
    REFUSED = 7  # again will not do
    NOTHING = 8  # no model for this installation, none opened yet
    UNTRUSTED = 9  # a file or an answer that does not verify
    UNFINISHED = 10  # an erasure is on its way
    INTERRUPTED = 130  # Ctrl-C during `replay`: 128 + SIGINT, as shells do


class Fault(StrEnum):
    """One code for each kind of error."""

    # setup
    NOT_INITIALISED = "not_initialised"
    ALREADY_INITIALISED = "already_initialised"
    CONFIG_INVALID = "config_invalid"
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a code, not a password
    FILE_EXPOSED = "file_exposed"
    KEYS_DAMAGED = "keys_damaged"
    STATE_UNUSABLE = "state_unusable"
    SPOOL_UNUSABLE = "spool_unusable"
    EXTRA_MISSING = "extra_missing"
    BROKER_UNREACHABLE = "broker_unreachable"
    SOURCE_UNREACHABLE = "source_unreachable"
    MAP_INVALID = "map_invalid"
    TRUST_MISSING = "trust_missing"
    TRUST_REJECTED = "trust_rejected"
    # consent
    CONSENT_MISSING = "consent_missing"
    CONSENT_OUTDATED = "consent_outdated"
    CONSENT_OTHER_VERSION = "consent_other_version"
    CONSENT_DAMAGED = "consent_damaged"
    DO_NOT_TRACK = "do_not_track"
    INSTALLATION_ERASED = "installation_erased"
    # input
    FILE_UNREADABLE = "file_unreadable"
    FILE_EMPTY = "file_empty"
    FILE_NOT_TEXT = "file_not_text"
    FILE_MALFORMED = "file_malformed"
    FILE_TOO_LARGE = "file_too_large"
    FORMAT_UNKNOWN = "format_unknown"
    COLUMN_MISSING = "column_missing"
    COLUMN_TWICE = "column_twice"
    TIME_COLUMN_MISSING = "time_column_missing"
    FIELD_NAME_INVALID = "field_name_invalid"
    FIELD_CLASH = "field_clash"
    TIME_FORMAT_INVALID = "time_format_invalid"
    TIMEZONE_UNKNOWN = "timezone_unknown"
    ROW_BROKEN = "row_broken"
    NO_ROW_USABLE = "no_row_usable"
    RECORD_TOO_LARGE = "record_too_large"
    NOTHING_WAITS = "nothing_waits"
    SHIFT_NEEDS_FILE = "shift_needs_file"
    # the pool
    UNREACHABLE = "unreachable"
    ANSWER_GARBLED = "answer_garbled"
    REDIRECTED = "redirected"
    REFUSED = "refused"
    RECEIPT_INVALID = "receipt_invalid"
    NO_ERASURE = "no_erasure"
    # models
    NO_MODEL = "no_model"
    MODEL_REJECTED = "model_rejected"


class Words(NamedTuple):
    """A fact that is itself a text."""

    en: str
    de: str


class Text(NamedTuple):
    """What is said with a code; `{0}`, `{1}` are the error's facts."""

    exit: Exit
    en: str
    de: str
