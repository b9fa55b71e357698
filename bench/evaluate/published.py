"""What others have published on the recordings, as it stands in their leaderboards.

In: nothing. Out: figures. Guarantee: SKAB's own repository, outlier task, over all 34 files, of
which not all need be present here.
"""

from __future__ import annotations

from typing import Final

FILES: Final = 34
SKAB: Final = (
    ("Conv-AE", 0.78, 13.55, 28.02),
    ("MSET", 0.78, 39.73, 14.13),
    ("T2 + Q", 0.76, 26.62, 24.92),
    ("LSTM-AE", 0.74, 29.96, 25.92),
    ("T2", 0.66, 19.21, 42.60),
    ("LSTM-VAE", 0.56, 9.13, 55.03),
    ("Vanilla LSTM", 0.54, 12.54, 59.53),
    ("Vanilla AE", 0.39, 2.59, 75.15),
    ("MSCRED", 0.36, 49.94, 69.88),
    ("Isolation forest", 0.29, 2.56, 82.89),
)
"""Detector, F1, FAR %, MAR %."""
