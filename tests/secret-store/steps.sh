#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# steps.sh SECRET-STORE SECRET-KEY: the very scripts with a partition of its own (a file), in a mount namespace of its own. Prints NAME|RESULT a line.
# Root, in a mount namespace of its own.
set -euo pipefail
script=$1
keys=$2
uid=30005
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mkdir /mnt/look
mount -t tmpfs tmpfs /sys/firmware
printf 'root:x:0:0::/:/bin/sh\nholdfast-secret:x:%s:%s::/:/bin/sh\n' $uid $uid >/mnt/passwd
printf 'root:x:0:\nholdfast-secret:x:%s:\n' $uid >/mnt/group
mount --bind /mnt/passwd /etc/passwd
mount --bind /mnt/group /etc/group
# Of a machine that has one: here is none.
[ ! -e /dev/tpmrm0 ] || mount --bind /mnt/passwd /dev/tpmrm0
here=/run/holdfast-secret-store
install -d -m 0750 -g $uid $here
install -d -m 0770 -g $uid $here/in $here/out
install -d -m 0700 /run/holdfast-secret-mount
truncate -s 32M /mnt/disk
mkfs.ext4 -q /mnt/disk
disk=$(losetup -f --show /mnt/disk)
trap 'losetup -d "$disk"' EXIT

tell() { printf '%s|%s\n' "$1" "${2//$'\n'/ }"; }
# As holdfast-secretd: it owns what it writes, and is in the group of both folders.
secretd() { setpriv --reuid $uid --regid $uid --clear-groups -- sh -c "$1"; }
load() { LIBMOUNT_FORCE_MOUNT2=always dash "$script" load 2>&1 && echo done || echo "failed $?"; }
keep() { LIBMOUNT_FORCE_MOUNT2=always dash "$script" keep 2>&1 && echo done || echo "failed $?"; }
ls_of() { (cd "$1" && echo *); }
# store BYTES: a store with its checksum, of about so many bytes.
store() {
  { printf '{"n":"%s"}\n' "$2"; head -c "$1" /dev/zero; } >/mnt/body
  sha256sum /mnt/body | cut -d' ' -f1 | sed 's/../\\x&/g' | xargs -0 printf '%b' | head -c 32 >/mnt/sum
  cat /mnt/body /mnt/sum >/mnt/store
  chmod 644 /mnt/store
}
on_disk() { mount -o ro "$disk" /mnt/look; (cd /mnt/look && for f in store*; do [ ! -e "$f" ] || printf '%s:%s ' "$f" "$(sha256sum "$f" | head -c 8)"; done); umount /mnt/look; }
digest() { sha256sum "$1" | cut -d' ' -f1; }

tell no-device "$(load) / $(ls_of $here/in) / $(cat $here/in/failed)"
echo "$disk" >/run/holdfast-secret-device
tell empty "$(load) / $(ls_of $here/in)"
open() { dash "$keys" open 2>&1 && echo done || echo "failed $?"; }
seal() { dash "$keys" seal 2>&1 && echo done || echo "failed $?"; }
tell no-key "$(open) / $(cat $here/in/machine-key) / $(stat -c '%s %a %u' $here/secret-key)"
rm -f $here/in/machine-key

store 1000 one
secretd "cp /mnt/store $here/out/store"
tell keep-first "$(keep) / $(ls_of $here/out)"
[ "$(cat $here/out/kept)" = "$(digest /mnt/store)" ] && tell kept-says right || tell kept-says wrong
tell kept-readable "$(secretd "cat $here/out/kept && rm $here/out/kept" | wc -c)"
first=$(on_disk)
store 2000 two
secretd "cp /mnt/store $here/out/store"
keep >/dev/null
second=$(on_disk)
[ "${second##*store.before:}" = "${first#store:}" ] && tell before right || tell before "wrong: $first / $second"
tell load "$(load) / $(ls_of $here/in) / $(stat -c '%a %u %g' $here/in/store)"
cmp $here/in/store /mnt/store && tell loaded-bytes same
tell taken "$(secretd "cat $here/in/store >/dev/null && rm $here/in/store && echo ok")"
grep -q holdfast-secret-mount /proc/self/mounts && tell mounted yes || tell mounted no

# What is no store is not kept, and what is on the disk stays.
refused() {
  tell "$1" "$(keep) / $(ls_of $here/out) / $([ "$(on_disk)" = "$second" ] && echo 'disk as before' || on_disk)"
  rm -rf $here/out/*
}
secretd "head -c 500 /mnt/store >$here/out/store"
refused short
secretd ": >$here/out/store"
refused nothing
store 4194304 large
secretd "cp /mnt/store $here/out/store"
refused large
secretd "ln -s /etc/shadow $here/out/store"
refused link
secretd "mkfifo $here/out/store"
refused fifo
secretd "mkdir $here/out/store"
refused folder
# Where the answer would be written through: a link is replaced, what it points to stays.
echo mine >/mnt/target
chmod 666 /mnt/target
secretd "ln -s /mnt/target $here/out/failed; : >$here/out/store"
keep >/dev/null || :
tell answer-link "$(cat /mnt/target) / $(stat -c '%F %u' $here/out/failed)"
rm -rf $here/out/*

# A disk without room keeps what it has.
mount "$disk" /mnt/look
head -c 64M /dev/zero >/mnt/look/filler 2>/dev/null || :
umount /mnt/look
store 3000000 three
secretd "cp /mnt/store $here/out/store"
tell full "$(keep) / $([ "$(on_disk)" = "$second" ] && echo 'disk as before' || on_disk)"
mount "$disk" /mnt/look
rm -f /mnt/look/filler
umount /mnt/look
rm -rf $here/out/*
secretd "cp /mnt/store $here/out/store"
tell room-again "$(keep) / $(ls_of $here/out)"

# What somebody laid on the disk in the place of the store.
mount "$disk" /mnt/look
rm /mnt/look/store
ln -s /etc/shadow /mnt/look/store
umount /mnt/look
tell link-on-disk "$(load) / $(ls_of $here/in)"
mount "$disk" /mnt/look
rm /mnt/look/store
head -c 5M /dev/zero >/mnt/look/store
umount /mnt/look
tell large-on-disk "$(load) / $(ls_of $here/in)"
dd if=/dev/zero of="$disk" bs=1M count=32 status=none
tell no-file-system "$(load) / $(ls_of $here/in) / $(cat $here/in/failed)"

# The key of this machine's own.
smbios() {
  rm -rf /sys/firmware/dmi/entries
  local n=0 entry
  for entry in "$@"; do
    mkdir -p "/sys/firmware/dmi/entries/11-$n"
    printf '\013\005\001\000\001%b\0\0' "$entry" >"/sys/firmware/dmi/entries/11-$n/raw"
    n=$((n + 1))
  done
  open >/dev/null || :
  tell "$words-from" "$(cat $here/in/machine-key)"
  tell "$words" "$(od -An -c $here/secret-key | tr -d ' \n') $(stat -c '%a %u' $here/secret-key)"
}
words=key-plain smbios 'vendor\0io.systemd.credential:holdfast.secret-key=a key of mine' 'io.systemd.credential:other=x'
words=key-binary smbios 'io.systemd.credential.binary:holdfast.secret-key=AAECAw=='
words=key-first smbios 'io.systemd.credential:holdfast.secret-key=first'
words=key-twice smbios 'io.systemd.credential:holdfast.secret-key=one' 'io.systemd.credential:holdfast.secret-key=two'
words=key-bad smbios 'io.systemd.credential.binary:holdfast.secret-key=***'
words=key-other smbios 'io.systemd.credential:holdfast.secret-keys=x\0xio.systemd.credential:holdfast.secret-key=y'
words=key-gone smbios
tell left "$(ls_of $here)"

# The sealed one. There is no TPM here: where one is, tests/vm/tpm.test.ts asks it.
mkfs.ext4 -q -F "$disk"
rm -rf $here/out/*
echo sealed-to-a-tpm >$here/sealed.new
tell sealed-kept "$(keep) / $(ls_of $here/out) / $(ls_of $here)"
tell sealed-loaded "$(rm $here/sealed; load) / $(cat $here/sealed) / $(stat -c '%a %u' $here/sealed)"
tell sealed-no-tpm "$(open) / $(cat $here/in/machine-key) / $(stat -c '%s' $here/secret-key)"
words=sealed-and-given smbios 'io.systemd.credential:holdfast.secret-key=given after all'
rm -rf /sys/firmware/dmi $here/out/*
secretd "head -c 32 /dev/zero >$here/out/machine-key"
tell seal-no-tpm "$(seal) / $(ls_of $here/out) / $(cat $here/out/machine-key-failed)"
for what in 'head -c 33 /dev/zero >' 'ln -s /etc/shadow ' 'mkfifo ' 'mkdir '; do
  rm -rf $here/out/*
  secretd "$what$here/out/machine-key"
  tell "seal-no-key-${what%% *}" "$(seal) / $(ls_of $here/out) / $(cat $here/out/machine-key-failed)"
done
rm -rf $here/out/*
mount "$disk" /mnt/look
head -c 64M /dev/zero >/mnt/look/filler 2>/dev/null || :
umount /mnt/look
head -c 60000 /dev/zero >$here/sealed.new
store 1000 four
secretd "cp /mnt/store $here/out/store"
tell sealed-full "$(keep) / $(ls_of $here/out) / $([ -e $here/sealed.new ] && echo left)"
mount "$disk" /mnt/look
rm -f /mnt/look/filler
tell sealed-stays "$(cat /mnt/look/machine-key)"
rm /mnt/look/machine-key
ln -s /etc/shadow /mnt/look/machine-key
umount /mnt/look
tell store-after "$(keep) / $(ls_of $here/out)"
tell sealed-link "$(load) / $(stat -c %s $here/sealed)"
tell sealed-left "$(ls_of $here)"
