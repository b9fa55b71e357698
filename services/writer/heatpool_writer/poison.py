"""PURE: when the dead letters say that the fault is ours.

In: the fate of each message, with its heat-pump model. Out: open or closed. Guarantee: a single bad
message never stops the writer; a defect of ours buries at most `IN_A_ROW_MAX` messages of a model,
or a tenth of the last ones, before the writer stops and leaves the rest in the stream.
Source: the limits of getsentry/arroyo's `DlqLimit` (ratio, consecutive count).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

IN_A_ROW_MAX: Final = 10  # what the edge admitted cannot be undecodable ten times running
RATIO_MAX: Final = 0.1
RATIO_OVER_MESSAGES: Final = 500
RATIO_MESSAGES_MIN: Final = 100  # below, one bad message would be a large share
MODELS_MAX: Final = 1000  # of heat pumps, remembered; more are forgotten oldest first


class Breaker:
    """Counts dead letters; open means: stop."""

    def __init__(self) -> None:
        self.open_because: str | None = None
        """Model that broke it, `all` for the ratio; None while closed."""
        self._recent: deque[bool] = deque(maxlen=RATIO_OVER_MESSAGES)
        self._in_a_row: OrderedDict[str, int] = OrderedDict()

    def fine(self, model: str) -> None:
        """A message of this model was taken."""
        self._recent.append(False)
        self._in_a_row.pop(model, None)

    def poisoned(self, model: str) -> bool:
        """A message cannot be taken; whether it may be buried (else the writer has to stop)."""
        if self.open_because is not None:
            return False
        in_a_row = self._in_a_row.get(model, 0) + 1
        bad = sum(self._recent) + 1
        if in_a_row > IN_A_ROW_MAX:
            self.open_because = model
        elif len(self._recent) >= RATIO_MESSAGES_MIN and bad > (len(self._recent) + 1) * RATIO_MAX:
            self.open_because = "all"
        else:
            self._recent.append(True)
            self._in_a_row[model] = in_a_row
            self._in_a_row.move_to_end(model)
            if len(self._in_a_row) > MODELS_MAX:
                self._in_a_row.popitem(last=False)
            return True
        return False
