#!/usr/bin/env bash
# Installs Debian's nginx and wrk for `make bench-hub`, and for nothing else.
set -euo pipefail
missing=
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="nginx-light"
command -v wrk >/dev/null 2>&1 || missing="$missing wrk"
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing from Debian: $missing" >&2
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: the package's own service, on port 80, is not started.
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$sudo env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
