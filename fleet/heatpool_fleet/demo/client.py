"""One home that uses the real client: `heatpool init`, `replay`, `update`, `score`.

In: recordings. Out: what the commands printed. Guarantee: nothing is done in this process that an
owner could not do at a shell.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from heatpool_client.consent import CONSENT_VERSION
from heatpool_deploy import keys
from heatpool_fleet.demo.running import DemoError

if TYPE_CHECKING:
    from pathlib import Path

    from heatpool_deploy.stack import Stack
    from heatpool_fleet.recording import Recording


class HomeCommands:
    """The command line of one home."""

    def __init__(self, stack: Stack, model: str, folder: Path) -> None:
        self._stack = stack
        self._model = model
        self._folder = folder

    def init(self) -> dict[str, object]:
        """Consent, keys, configuration."""
        return self._run(
            "init",
            *("--server", self._stack.ingest_url, "--hub", self._stack.modelhub_url),
            *("--model", self._model, "--accept-consent", CONSENT_VERSION),
            *("--token-file", str(self._stack.keys / keys.TOKEN)),
            *("--trust", str(self._stack.keys / keys.TRUST_FILE)),
        )

    def replay(self, file: Path, *arguments: str) -> dict[str, object]:
        """Send a recording; the totals."""
        totals = self._run("replay", str(file), *arguments)["totals"]
        if not isinstance(totals, dict):
            raise DemoError("heatpool replay reports no totals")
        return totals

    def update(self) -> dict[str, object]:
        """Check, download, verify, open."""
        return self._run("update")

    def score(self, file: Path, output: Path, *arguments: str) -> dict[str, object]:
        """Score a recording with the opened model."""
        return self._run("score", str(file), "--output", str(output), *arguments)

    def status(self) -> dict[str, object]:
        """What is set up."""
        return self._run("status")

    def _run(self, command: str, *arguments: str) -> dict[str, object]:
        words = [sys.executable, "-m", "heatpool_client", command, *arguments]
        done = subprocess.run(  # noqa: S603 - our own program
            [*words, "--home", str(self._folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DemoError(f"heatpool {command}: {done.stdout}{done.stderr}")
        answer: dict[str, object] = json.loads(done.stdout)
        return answer


def write_csv(recording: Recording, path: Path, first_s: float, until_s: float) -> int:
    """Records in [first, until) as a logger's CSV; how many."""
    times_s = recording.timestamps_s
    begin, end = (int(np.searchsorted(times_s, at)) for at in (first_s, until_s))
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["timestamp", *recording.columns])
        rows.writeheader()
        rows.writerows(recording.records(begin, end))
    return end - begin
