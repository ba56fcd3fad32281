date -s 1999-01-01
timedatectl set-time 1999-01-01
hostname owned
echo owned >/proc/sys/kernel/hostname
