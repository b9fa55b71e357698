"""What an installation says it agreed to: body of `POST /api/v1/consent`, the same on both sides.

In: what the client recorded of its owner's decision. Out: a Struct whose values are bounded, since
the pool keeps it for good. Guarantee: a field that only one side knows is refused.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

PATH: Final = "/api/v1/consent"
Text = Annotated[str, msgspec.Meta(max_length=64)]


class ConsentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One decision."""

    installation_id: str
    event: Annotated[str, msgspec.Meta(pattern="^(granted|withdrawn)$(?!\\n)")]
    purposes: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=8)]
    text_version: Text
    text_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$(?!\\n)")]
    """Of the text that was shown."""
    locale: Text
    client_version: Text
    client_time: float
