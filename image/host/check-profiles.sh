#!/bin/bash
# check-profiles.sh: compiles every AppArmor profile as the image build will, without loading any (runs in the tools tree).
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/../.."
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT
cp -r /etc/apparmor.d/. "$base"
cp -r apparmor.d/. "$base"
apparmor_parser --base "$base" --kernel-features=rootfs-overlay/usr/lib/holdfast/apparmor-kernel-features \
  --policy-features=/usr/share/apparmor-features/features -Q -T -K apparmor.d/holdfast*
