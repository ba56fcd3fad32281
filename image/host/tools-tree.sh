#!/bin/bash
# tools-tree.sh DIR: makes the trixie tree that holds mkosi, QEMU and the compiler (root).
# Packages come from the mirrors that this machine's own apt is configured with; without any, from Debian's defaults.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
target=${1:?usage: tools-tree.sh DIR}
packages=$(grep -v '^#' "$here/tools-packages.txt" | paste -sd,)
partial=$target.partial
rm -rf --one-file-system "$partial"
mkdir -p "$(dirname "$target")"

mapfile -t sources < <("$here/mirrors.sh" trixie)
mmdebstrap --variant=apt --mode=root --include="$packages" \
  --aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  trixie "$partial" "${sources[@]}"
# A tree is complete or absent: an interrupted build never has the final name.
: >"$partial/etc/resolv.conf"
rm -rf --one-file-system "$target"
mv "$partial" "$target"
