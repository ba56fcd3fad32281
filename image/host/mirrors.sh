#!/bin/bash
# mirrors.sh SUITE: the apt sources for SUITE, one line each, on the mirrors that this machine's apt is configured with.
# Nothing committed names a mirror; a machine without Debian sources gets Debian's own defaults (an empty answer).
set -euo pipefail
suite=${1:?usage: mirrors.sh SUITE}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mapfile -t sites < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null | sort -u)
main='' security=''
for line in "${sites[@]}"; do
  uri=${line% *} release=${line##* }
  case $release in
    *-security) security=${security:-$uri} ;;
    bookworm | trixie | stable | oldstable) main=${main:-$uri} ;;
  esac
done
[ -n "$main" ] || exit 0
echo "deb [signed-by=$keyring] $main $suite main"
echo "deb [signed-by=$keyring] $main $suite-updates main"
[ -z "$security" ] || echo "deb [signed-by=$keyring] $security $suite-security main"
