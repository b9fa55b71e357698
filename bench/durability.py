"""How long after its 204 a sample in VictoriaMetrics survives a SIGKILL (docs/decisions/0004).

In: nothing. Out: a table: seconds between 204 and kill, samples sent, samples there after restart.
Run: `.venv/bin/python bench/durability.py`
"""

from __future__ import annotations

import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers import VictoriaServer

DELAYS_S = (0, 2, 5, 7, 10, 15)
SAMPLES = 20_000


def main() -> None:
    """Print the table."""
    print("seconds from 204 to SIGKILL | sent | found after restart")
    for delay_s in DELAYS_S:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{delay_s:>27} | {SAMPLES} | {_survivors(Path(folder), delay_s)}")


def _survivors(folder: Path, delay_s: float) -> int:
    server = VictoriaServer(folder)
    server.start()
    now_ms = int(time.time()) * 1000
    stamps = ",".join(str(now_ms - 1000 * i) for i in range(SAMPLES))
    values = ",".join(["1"] * SAMPLES)
    line = f'{{"metric":{{"__name__":"x"}},"values":[{values}],"timestamps":[{stamps}]}}'
    urllib.request.urlopen(f"{server.url}/api/v1/import", data=line.encode()).close()  # noqa: S310
    time.sleep(delay_s)
    server.kill()
    server.start()
    query = f"{server.url}/api/v1/export?match[]=x"
    with urllib.request.urlopen(query) as answer:  # noqa: S310 - loopback
        lines: list[bytes] = list(answer)
    found = sum(line.count(b",", line.index(b'"timestamps":[')) + 1 for line in lines)
    server.stop()
    return found


if __name__ == "__main__":
    main()
