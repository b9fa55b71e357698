#!/usr/bin/env bash
# Installs Debian's victoria-metrics unless one is on PATH or named by VICTORIA_METRICS.
set -euo pipefail
if [ -n "${VICTORIA_METRICS:-}" ] || command -v victoria-metrics >/dev/null 2>&1; then
  exit 0
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing victoria-metrics from Debian" >&2
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: the package's own service, on the default port, is not started.
$sudo apt-get update -qq
$sudo env RUNLEVEL=1 apt-get install -y -qq victoria-metrics >/dev/null
