"""What can go wrong at a logger: one base error, stable codes, exit statuses, two languages.

In: a code and its facts. Out: a sentence in English or German and the exit status of the command
line. Guarantee: every error that the client raises on purpose is a `ClientError`; anything else is
a bug.
"""

from __future__ import annotations

import msgspec

from heatpool_client.fault_codes import Exit, Fault, Language, Text, Words
from heatpool_client.fault_texts import TEXTS

__all__ = [
    "TEXTS",
    "ClientError",
    "ErrorSeen",
    "Exit",
    "Failed",
    "Fault",
    "Language",
    "Text",
    "Words",
]


class ClientError(Exception):
    """Base of all errors of the client."""

    def __init__(self, code: Fault, *facts: object) -> None:
        """`facts` fill the gaps of the text of `code` (`Words` by language); none is secret."""
        super().__init__(code, *facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return self.text("en")

    @property
    def exit(self) -> Exit:
        """Exit status of the command line."""
        return TEXTS[self.code].exit

    def text(self, language: Language) -> str:
        """The sentence for people."""
        text = TEXTS[self.code]
        facts = (
            (fact.de if language == "de" else fact.en) if isinstance(fact, Words) else fact
            for fact in self.facts
        )
        return (text.de if language == "de" else text.en).format(*facts)

    def seen(self) -> ErrorSeen:
        """The error for JSON output."""
        return ErrorSeen(
            code=self.code, text=self.text("en"), text_de=self.text("de"), exit=self.exit
        )


class ErrorSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An error in JSON output."""

    code: str
    text: str
    text_de: str
    exit: int


class Failed(msgspec.Struct, frozen=True):
    """The JSON document of a command or of a request that failed."""

    error: ErrorSeen
