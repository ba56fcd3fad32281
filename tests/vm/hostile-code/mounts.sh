mount -t tmpfs none /mnt
mount --bind / /workspace/root
mount -o remount,rw /
unshare -Urm bash -c 'mount -t tmpfs none /etc; id'
umount -l /var
nsenter -t 1 -a id
chroot / id
