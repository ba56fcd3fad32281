#!/bin/bash
# compile-profiles.sh SOURCES OUT: compiles the AppArmor profiles of SOURCES (laid out as /etc/apparmor.d, with ours over Debian's)
# as the image build does, one file each in OUT; loads none. Runs in the tools tree.
set -euo pipefail
overlay=$(dirname "$(realpath "$0")")/../../rootfs-overlay
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT
mkdir -p "$base/cache" "$2"
cp -r /etc/apparmor.d/{abi,abstractions,tunables} "$1"/. "$base"
apparmor_parser --base "$base" --kernel-features="$overlay/usr/lib/holdfast/apparmor-kernel-features" \
  --policy-features=/usr/share/apparmor-features/features -Q -T -W --cache-loc="$base/cache" "$base"/holdfast*
cp "$base"/cache/*/holdfast* "$2"
