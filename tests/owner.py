"""A home that uses the real command line `heatpool` against a running pool."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx

from heatpool_client.consent import CONSENT_VERSION
from heatpool_deploy import keys

if TYPE_CHECKING:
    from pathlib import Path

    from pool import Pool

RELEASE_S_MAX = 150.0


class Owner:
    """One home's folder and its commands."""

    def __init__(self, pool: Pool, folder: Path, model: str) -> None:
        self.pool = pool
        self.folder = folder
        self.model = model

    def run(self, command: str, *arguments: str, status: int = 0) -> dict[str, object]:
        """Run a command and decode its JSON."""
        words = [sys.executable, "-m", "heatpool_client", command, *arguments]
        done = subprocess.run(
            [*words, "--home", str(self.folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
            env=self.pool.environment,
        )
        assert done.returncode == status, (command, done.stdout, done.stderr)
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def send(self, file: str, *arguments: str) -> tuple[int, int]:
        """Replay a recording; records and samples that the pool took."""
        totals = self.run("replay", file, *arguments)["totals"]
        assert isinstance(totals, dict)
        return totals["records_accepted"], totals["samples_accepted"]

    def init(self) -> None:
        """Consent, keys, configuration."""
        stack = self.pool.stack
        self.run(
            "init",
            *("--server", stack.ingest_url, "--hub", stack.modelhub_url),
            *("--model", self.model, "--accept-consent", CONSENT_VERSION),
            *("--token-file", str(stack.keys / keys.TOKEN)),
            *("--trust", str(stack.keys / keys.TRUST_FILE)),
        )


def wait_for_release(pool: Pool, seq: int = 1, seconds: float = RELEASE_S_MAX) -> dict[str, object]:
    """Until the hub lists a release with at least this sequence number."""
    headers = {"Authorization": f"Bearer {pool.stack.secret(keys.OPERATOR_TOKEN)}"}
    url = f"{pool.stack.modelhub_url}/api/v1/models"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for model in httpx.get(url, headers=headers).json().get("models", []):
            if model["seq"] >= seq:
                found: dict[str, object] = model
                return found
        time.sleep(0.3)
    raise AssertionError(f"no release {seq}: {pool.log('trainer').read_text()[-3000:]}")
