#!/usr/bin/env bash
# Finds uv, or installs it with pip into .uv/ beside the project; `uv.sh run-uv ARGS` runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=0.13.8
if command -v uv >/dev/null 2>&1; then
  uv=uv
elif [ -x .uv/bin/uv ]; then
  uv=.uv/bin/uv
else
  # A virtual environment of its own: Debian's Python refuses to install into the system.
  # Without Debian's python3-venv there is no ensurepip, but `pip --target` needs none.
  if python3 -m venv .uv >/dev/null 2>&1; then
    .uv/bin/pip install --quiet --disable-pip-version-check "uv==$version"
  else
    rm -rf .uv
    python3 -m pip install --quiet --disable-pip-version-check --target .uv "uv==$version"
  fi
  uv=.uv/bin/uv
fi
if [ "${1:-}" = run-uv ]; then
  shift
  exec "$uv" "$@"
fi
