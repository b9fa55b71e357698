#!/usr/bin/env bash
# Builds the wheels that a home installs (contract, client), installs them into an empty environment
# with pip's resolver alone, and measures there: start-up, memory while submitting.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:-dist}
mkdir -p "$target"
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
