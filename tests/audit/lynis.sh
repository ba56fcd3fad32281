#!/bin/bash
# lynis.sh DIR: Debian's own package of Lynis, unpacked below DIR; from the mirrors that this machine's apt is configured with, checked
# against Debian's keys. Run in the tools tree. The image gets none of it.
set -euo pipefail
dir=${1:?usage: lynis.sh DIR}
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
cd "$dir"
options=(-qq -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update
rm -f lynis_*.deb
apt-get "${options[@]}" download lynis
rm -rf tree && dpkg-deb -x lynis_*.deb tree
tar -C tree/usr/share/lynis -cf lynis.tar .
tar -C tree/usr/sbin -rf lynis.tar lynis
# Its comments cost a minute under emulation: it starts a program for each line.
grep -vE '^(#|$|plugin=)' tree/etc/lynis/default.prf >short.prf
tar -rf lynis.tar short.prf
