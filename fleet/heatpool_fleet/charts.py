"""A picture of a recording, to look at with one's own eyes.

In: a recording with the plain names. Out: a PNG. Guarantee: needs matplotlib only when called; the
package does not depend on it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_fleet.recording import Recording

PANELS: Final = (
    ("temperature, degC", ("temp_outdoor", "temp_flow", "temp_return", "temp_dhw")),
    ("power, W", ("power_thermal", "power_electric")),
    ("compressor, Hz", ("compressor_freq",)),
    ("pressure, bar", ("pressure_high", "pressure_low")),
    ("COP", ("cop_current",)),
    ("status", ("status",)),
)


class ChartUnavailableError(Exception):
    """matplotlib is missing, or the recording has other names than the plain ones."""

    code = "chart_unavailable"


def draw(recording: Recording, path: Path) -> None:
    """Write a PNG of the whole recording.

    Raises:
        ChartUnavailableError: no matplotlib, or not the plain naming scheme.
    """
    try:
        # Here and not above: a fleet that only posts needs no plotting library.
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 -- as said
        from matplotlib.figure import Figure  # noqa: PLC0415 -- as above
    except ImportError as error:
        raise ChartUnavailableError(
            "plots need matplotlib: install it, or run inside the project's environment"
        ) from error
    if "temp_flow" not in recording.columns:
        raise ChartUnavailableError("plots are drawn for the plain naming scheme")
    times = [datetime.fromtimestamp(at, tz=UTC) for at in recording.timestamps_s.tolist()]
    figure = Figure(figsize=(14, 12), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (label, names) in zip(axes, PANELS, strict=True):
        for name in names:
            values = recording.columns[name]
            if name == "cop_current":
                values = np.where(values > 0.0, values, np.nan)  # a gap, not a fall to zero
            axis.plot(times, values, label=name, linewidth=0.9)
        if recording.fault is not None:
            axis.axvline(
                datetime.fromtimestamp(recording.fault.onset_s, tz=UTC),
                color="crimson",
                linestyle="--",
            )
        axis.set_ylabel(label)
        axis.legend(loc="upper right", ncols=4, fontsize=8)
        axis.grid(alpha=0.3)
    title = f"home {recording.home.index}, {recording.home.model}"
    if recording.fault is not None:
        title += f", {recording.fault.kind} {recording.fault.grade}"
    figure.suptitle(title)
    figure.savefig(path, dpi=70)
