#!/usr/bin/env bash
# Builds the wheels that a home installs (contract, client), installs them into an empty environment
# with pip's resolver alone, and measures there: start-up, memory while submitting. Then the same with
# the extras that client/examples/Containerfile installs, and every map is read there.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:-dist}
mkdir -p "$target"
wheels=$(realpath "$target")
for member in contract client; do
  deploy/install/uv.sh run-uv build --quiet --wheel --package "heatpool-$member" --out-dir "$target"
done
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
deploy/install/uv.sh run-uv venv --quiet --python 3.11 "$place/venv"
VIRTUAL_ENV="$place/venv" deploy/install/uv.sh run-uv pip install --quiet \
  "$target"/heatpool_contract-*.whl "$target"/heatpool_client-*.whl
cd "$place" # nothing of the working copy is importable from here
"$place/venv/bin/heatpool" --help >/dev/null
echo "heatpool --help: ok; $(ls "$place"/venv/lib/python3.11/site-packages | grep -c dist-info) distributions, $(du -sh "$place/venv" | cut -f1)"
"$place/venv/bin/python" "$OLDPWD/bench/client_size.py"
extras=$(grep -o '\[[a-z,]*\]"' "$OLDPWD/client/examples/Containerfile" | tr -d '"')
"$OLDPWD/deploy/install/uv.sh" run-uv venv --quiet --python 3.11 "$place/full"
VIRTUAL_ENV="$place/full" "$OLDPWD/deploy/install/uv.sh" run-uv pip install --quiet \
  "$wheels"/heatpool_contract-*.whl "$(ls "$wheels"/heatpool_client-*.whl)$extras"
"$place/full/bin/python" - <<'PYTHON'
import apprise, paho.mqtt.client, pymodbus
from heatpool_client.sources.mapping import RegisterMap, TopicMap, load, shipped, values_of
values = 0
for name in shipped():
    try:
        values += len(values_of(load(name, None, RegisterMap)))
    except Exception:
        values += len(values_of(load(name, None, TopicMap)))
print(f"with extras: {len(shipped())} maps, {values} entries")
PYTHON
echo "with$extras: $(ls "$place"/full/lib/python3.11/site-packages | grep -c dist-info) distributions, $(du -sh "$place/full" | cut -f1)"
