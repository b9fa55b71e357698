#!/usr/bin/env bash
# Size of the environment that each member needs when it is deployed alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%-10s %8s %9s\n' member MB packages
for member in "$@"; do
  UV_PROJECT_ENVIRONMENT="$folder/$member" UV_LINK_MODE=copy deploy/install/uv.sh run-uv sync \
    --frozen --no-dev --no-editable --quiet --package "heatpool-$member"
  packages=$(find "$folder/$member" -maxdepth 5 -name '*.dist-info' | wc -l)
  printf '%-10s %8s %9s\n' "$member" "$(du -sm "$folder/$member" | cut -f1)" "$packages"
  rm -rf "${folder:?}/$member"
done
