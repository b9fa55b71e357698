"""Why a sealed model, a trust file, a grant or a key is not accepted: one exception, stable codes.

The code is what a client stores and shows, what a metric is labelled with, and what the index of
`tests/vectors/sealed` asserts. The HTTP refusals of the pool are `refusals`; these here are spoken
by whoever holds a file and must decide whether to believe it (after Uptane: name the attack).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DETAIL_CHARS_MAX: Final = 200  # a stranger's text may be in it, and it is stored and logged


class Reject(StrEnum):
    """One code per check, in the order in which a client makes them."""

    # the file
    SIZE = "size"  # above the cap: not even hashed
    HASH = "hash"  # not the file that was announced
    MAGIC = "magic"  # no HPM1 file, or one damaged by a text-mode transfer
    LENGTH = "length"  # cut short, grown, or lengths inside that do not add up
    # who says so
    TRUST_SIZE = "trust_size"
    TRUST_MALFORMED = "trust_malformed"
    TRUST_VERSION = "trust_version"  # not exactly the successor: a skip or a replay
    TRUST_THRESHOLD = "trust_threshold"  # too few root keys, of the old or of the new file
    TRUST_EPOCH = "trust_epoch"  # the epoch went back or jumped
    TRUST_STEPS = "trust_steps"  # endless chain
    TRUST_EXPIRED = "trust_expired"
    THRESHOLD = "threshold"  # too few release keys signed these manifest bytes
    # what it says
    MANIFEST = "manifest"
    FORMAT = "format"
    ENGINE = "engine"  # this client has no such scorer
    CIPHER = "cipher"  # no negotiation: one cipher per format
    CLIENT_TOO_OLD = "client_too_old"
    WRONG_MODEL = "wrong_model"
    EXPIRED = "expired"
    CREATED_IN_FUTURE = "created_in_future"
    EPOCH = "epoch"  # of another epoch than the trust file: its release key was retired
    ROLLBACK = "rollback"  # older than what was active once
    CIPHERTEXT = "ciphertext"  # manifest of one release, ciphertext of another
    # the content key
    GRANT_LENGTH = "grant_length"
    GRANT_SEALED = "grant_sealed"  # sealed to another key, or damaged
    GRANT_MAGIC = "grant_magic"
    GRANT_OTHER_INSTALLATION = "grant_other_installation"
    GRANT_OTHER_RELEASE = "grant_other_release"
    GRANT_EXPIRED = "grant_expired"
    # the payload
    AEAD = "aead"  # wrong content key
    INFLATE = "inflate"  # not zlib, longer or shorter than announced
    RAW_HASH = "raw_hash"
    PAYLOAD = "payload"  # decrypts, and is no detector
    SELF_TEST = "self_test"  # a detector that scores differently here than at the trainer
    # freshness
    FRESH_MALFORMED = "fresh_malformed"
    FRESH_THRESHOLD = "fresh_threshold"
    FRESH_WRONG_MODEL = "fresh_wrong_model"
    FRESH_LIFETIME = "fresh_lifetime"  # promises more than 48 hours
    FRESH_EXPIRED = "fresh_expired"
    FRESH_IN_FUTURE = "fresh_in_future"
    FRESH_ROLLBACK = "fresh_rollback"
    FRESH_OTHER_RELEASE = "fresh_other_release"  # the check answer and the statement disagree
    # keys of an installation
    KEY_MALFORMED = "key_malformed"
    KEY_WEAK = "key_weak"  # small order: everybody could compute its secrets
    KEY_OTHER_ID = "key_other_id"  # self-certifying id of another key
    KEY_PROOF = "key_proof"  # not signed by the key it registers
    # a signed request
    REQUEST_MALFORMED = "request_malformed"  # a header of the four is missing or no such thing
    REQUEST_TIME = "request_time"  # signed too long ago, or ahead of our clock
    REQUEST_SIGNATURE = "request_signature"  # not these bytes, or not by this key
    # the client's disk
    STORAGE = "storage"  # the disk refused; nothing was changed
    STATE_DAMAGED = "state_damaged"  # its own notes are unreadable: set aside, floor lost


class SealRefused(Exception):  # noqa: N818 - a verdict about a file, not an error of the program
    """Not accepted; whatever was there before stays."""

    def __init__(self, code: Reject, detail: str = "") -> None:
        """`code` is for programs, `detail` for people; neither contains key material."""
        self.code = code
        self.detail = detail[:DETAIL_CHARS_MAX]
        super().__init__(f"{code}: {self.detail}" if detail else str(code))
