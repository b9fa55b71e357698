#!/usr/bin/env bash
# Installs Debian packages whose program is missing: debian.sh PROGRAM PACKAGE
set -euo pipefail
PATH="$PATH:/usr/sbin"
if command -v "$1" >/dev/null 2>&1; then
  exit 0
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing $2 from Debian" >&2
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1: the package's own service, on its default port, is not started.
$sudo apt-get update -qq
$sudo env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$2" >/dev/null
