#!/bin/bash
# in-tools.sh TREE DIR[:ro]... -- CMD...: runs CMD inside the tools tree, with the named directories at their own paths.
# pivot_root and not chroot: the kernel refuses user namespaces to a chrooted process, and mkosi needs them.
# Without root the caller becomes root of a user namespace, which is enough for QEMU and the compiler, not for mkosi.
set -euo pipefail
tree=$(realpath "$1"); shift
dirs=()
while [ "$1" != -- ]; do dirs+=("$1"); shift; done
shift
userns=()
[ "$(id -u)" = 0 ] || userns=(--user --map-root-user)
# A path may hold spaces: one directory a line.
HOLDFAST_DIRS=$(printf '%s\n' "${dirs[@]}")
export HOLDFAST_TREE=$tree HOLDFAST_DIRS
exec unshare "${userns[@]}" --mount --propagation private -- /bin/bash -euc '
  # A root of its own, in which mount points can be made without writing to the tree: it belongs to root.
  cd "$HOLDFAST_TREE/mnt"
  mount -t tmpfs -o mode=755 tmpfs .
  cd "$HOLDFAST_TREE/mnt"
  mkdir proc sys dev run tmp mnt old usr etc var
  for d in bin sbin lib lib64; do cp -P "$HOLDFAST_TREE/$d" .; done
  for d in usr etc var; do mount --rbind "$HOLDFAST_TREE/$d" $d; done
  for d in proc sys dev; do mount --rbind "/$d" $d; done
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mount -t tmpfs -o mode=1777 tmpfs var/tmp
  while read -r d; do
    [ -n "$d" ] || continue
    p=${d%:ro}
    mkdir -p "./$p"
    mount --rbind "$p" "./$p"
    [ "$p" = "$d" ] || mount -o remount,bind,ro "./$p"
  done <<<"$HOLDFAST_DIRS"
  for f in resolv.conf hosts; do
    [ ! -e /etc/$f ] || [ ! -e etc/$f ] || mount --bind "$(realpath /etc/$f)" etc/$f
  done
  pivot_root . old
  umount -l /old
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
  umask 022
  mkdir -p /root
  # Another day, for the second build of `make image-twice`, which must not notice it.
  if [ -n "${HOLDFAST_FAKETIME:-}" ]; then
    export LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=$HOLDFAST_FAKETIME
  fi
  unset HOLDFAST_TREE HOLDFAST_DIRS
  cd "${HOLDFAST_CWD:-/}"
  exec "$@"
' bash "$@"
