#!/usr/bin/env bash
# Installs Debian's mosquitto unless one is there: the client's MQTT is tested against it.
set -euo pipefail
PATH="$PATH:/usr/sbin"
if command -v mosquitto >/dev/null 2>&1; then
  exit 0
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing mosquitto from Debian" >&2
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: the package's own service, on the default port, is not started.
$sudo apt-get update -qq
$sudo env RUNLEVEL=1 apt-get install -y -qq mosquitto >/dev/null
