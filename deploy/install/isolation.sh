#!/usr/bin/env bash
# Imports every module of every member in an environment that holds only its declared dependencies:
# the workspace's shared environment would hide a missing one.
set -euo pipefail
cd "$(dirname "$0")/../.."
for member in "$@"; do
  deploy/install/uv.sh run-uv run --isolated --frozen --no-dev --quiet --package "heatpool-$member" \
    python - "heatpool_$member" <<'PYTHON'
import importlib, pkgutil, sys

package = importlib.import_module(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(package.__path__, sys.argv[1] + ".")]
names = [n for n in names if not n.endswith("__main__") and ".demo" not in n]
for name in names:
    importlib.import_module(name)
print(f"isolation: {sys.argv[1]} and its {len(names)} modules import alone")
PYTHON
done
