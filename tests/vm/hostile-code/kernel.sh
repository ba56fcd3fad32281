sysctl -w vm.swappiness=99
echo '|/tmp/x' >/proc/sys/kernel/core_pattern
echo /tmp/x >/proc/sys/kernel/modprobe
insmod /tmp/x.ko; modprobe tun; rmmod virtio_net
echo 0 >/proc/sys/kernel/randomize_va_space
swapon /workspace/x
