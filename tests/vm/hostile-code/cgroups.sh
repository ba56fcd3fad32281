find /sys/fs/cgroup -name cgroup.procs -writable -exec sh -c 'echo $$ >{}' \;
mkdir /sys/fs/cgroup/x
echo max >/sys/fs/cgroup/pids.max
echo 1 >/sys/fs/cgroup/cgroup.kill
mount -t cgroup2 none /mnt
