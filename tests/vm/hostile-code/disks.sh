for d in /dev/vda /dev/sda /dev/dm-0 /dev/mem /dev/kmsg /dev/port; do dd if=/dev/zero of=$d bs=1M count=1; done
mkfs.ext4 -F /dev/vda
mknod /workspace/disk b 254 0 && dd if=/dev/zero of=/workspace/disk count=1
mknod /tmp/mem c 1 1
losetup -f /workspace/x
echo 1 >/sys/block/vda/device/delete
