"""Which client this is."""

from __future__ import annotations

from typing import Final

CLIENT_VERSION: Final = "0.1.0"
"""Three numbers; releases name the oldest client that may open them."""
BUILT_S: Final = 1_795_219_200
"""2026-11-21: no clock of a machine that runs this can be right and show less."""
