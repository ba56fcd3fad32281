#!/bin/bash
# prepare.sh: installs what the building machine lacks, and nothing else. `make run` calls it first.
# sudo is for apt, the tools tree and mkosi alone; without root and without a terminal it prints the commands and stops.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
key=$(cat "$here/tools-packages.txt" "$here/tools-tree.sh" "$here/mirrors.sh" | sha256sum | cut -c1-16)
tools=$cache/tools/$key

missing=()
for pair in mmdebstrap:mmdebstrap ssh:openssh-client flock:util-linux unshare:util-linux; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)

commands=()
if [ "${#missing[@]}" -gt 0 ]; then
  commands+=("apt-get update -qq" "apt-get install -y -qq --no-install-recommends ${missing[*]}")
fi
[ -e "$tools/usr/bin/mkosi" ] || commands+=("$here/tools-tree.sh $tools")

sudo=()
if [ "$(id -u)" != 0 ]; then
  if [ "${#commands[@]}" -gt 0 ] && [ ! -t 0 ]; then
    {
      echo 'cannot prepare this machine: that needs root, and there is no terminal to ask on. Run these as root, then try again:'
      printf '  %s\n' "${commands[@]}"
    } >&2
    exit 1
  fi
  sudo=(sudo)
fi
log=$cache/prepare.log
mkdir -p "$cache/tools"
exec 9>"$cache/prepare.lock"
flock 9
for c in "${commands[@]}"; do
  echo "  \$ ${sudo[*]:+sudo }$c" >&2
  # shellcheck disable=SC2086  # the commands above hold no word with a space
  if ! "${sudo[@]}" $c >"$log" 2>&1 9>&-; then
    tail -n 20 "$log" >&2
    echo "cannot go on: the command above ended with an error; the whole output is in $log" >&2
    exit 1
  fi
done
# Trees of older package lists are of no use to anybody.
echo "$tools" >"$cache/tools/current"
