// SPDX-License-Identifier: Apache-2.0
// Names that an attacker would try, also where the image has nothing of that name.

const HOLDFAST = [
  '/usr/lib/holdfast', '/usr/lib/holdfast/bin/holdfast', '/usr/lib/holdfast/call-init', '/usr/lib/holdfast/file-tool', '/usr/lib/holdfast/types/dev.yaml',
  '/usr/lib/holdfast/lib/hostsys.node', '/run/holdfast', '/run/holdfast/operator.sock', '/run/holdfast/declared/agents.json', '/run/holdfast/agents/a/mcp.sock',
  '/run/holdfast/runners/a.sock', '/run/holdfastd/grants.json', '/run/holdfast-ledger/append.sock', '/run/holdfast-ledger/receipt.pub', '/run/holdfast-runner/a/used',
  '/run/holdfast-safe/claim', '/var/lib/holdfast', '/var/lib/holdfast/agents.d/a.yaml', '/var/lib/holdfast-declare/slots.json', '/var/lib/holdfast-ledger/key',
  '/var/lib/holdfast-ledger/segment.db', '/var/lib/holdfast-workspaces/other/secret', '/var/lib/holdfast-new/x', '/var/run/holdfast/operator.sock',
];
const ACCOUNTS = [
  '/etc/passwd', '/etc/passwd-', '/etc/shadow', '/etc/shadow-', '/etc/shadow.bak', '/etc/gshadow', '/etc/gshadow-', '/etc/group', '/etc/subuid', '/etc/subgid', '/etc/sudoers',
  '/etc/sudoers.d/x', '/etc/pam.d/sshd', '/etc/security/limits.conf', '/etc/ssh/sshd_config', '/etc/ssh/sshd_config.d/x.conf', '/etc/ssh/ssh_host_ed25519_key', '/run/ssh-keys/root',
  '/root/.ssh/authorized_keys', '/home/alice/.ssh/authorized_keys', '/home/alice/.Private/x', '/root/.bashrc', '/var/lib/ssh/host_key', '/run/userdb/alice.user', '/etc/machine-id',
];
const STARTS = [
  '/etc/systemd/system/x.service', '/etc/systemd/system.conf', '/run/systemd/system/x.service', '/usr/lib/systemd/system/x.service', '/etc/cron.d/x', '/etc/rc.local', '/etc/init.d/x',
  '/etc/profile', '/etc/profile.d/x.sh', '/etc/bash.bashrc', '/etc/environment', '/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/ld.so.conf.d/x.conf', '/etc/ld.so.cache', '/etc/udev/rules.d/x.rules',
  '/etc/modprobe.d/x.conf', '/etc/modules-load.d/x.conf', '/etc/sysctl.d/x.conf', '/etc/tmpfiles.d/x.conf', '/etc/polkit-1/rules.d/x.rules', '/usr/share/polkit-1/rules.d/x.rules', '/etc/dbus-1/system.d/x.conf',
  '/etc/apparmor.d/holdfast-call-dev', '/etc/apparmor/earlypolicy', '/usr/lib/holdfast/apparmor-cache/x', '/etc/hosts', '/etc/resolv.conf', '/etc/nsswitch.conf', '/etc/hostname', '/etc/localtime',
  '/etc/nginx', '/etc/nginx/nginx.conf', '/etc/nginx/conf.d/a.conf', '/etc/nginx/conf.d/deep/er/a.conf', '/etc/nginx.bak', '/etc/nginx-x/a', '/etc/nginx/.hidden', '/etc/other/x',
];
const KERNEL = [
  '/proc/sysrq-trigger', '/proc/kcore', '/proc/kallsyms', '/proc/1/environ', '/proc/1/mem', '/proc/1/root/etc/shadow', '/proc/self/attr/current', '/proc/self/mem', '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe', '/proc/sys/vm/overcommit_memory', '/proc/keys', '/proc/timer_list', '/proc/cmdline', '/sys/kernel/security/apparmor/.load', '/sys/kernel/uevent_helper',
  '/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/agents.slice/cgroup.freeze', '/sys/fs/bpf/x', '/sys/kernel/debug/x', '/sys/kernel/tracing/trace', '/sys/power/state', '/sys/devices/system/cpu/online',
  '/sys/firmware/efi/efivars/x', '/sys/module/kernel/parameters/panic', '/dev/mem', '/dev/kmsg', '/dev/port', '/dev/vda', '/dev/vda2', '/dev/dm-0', '/dev/mapper/root', '/dev/loop0', '/dev/loop-control', '/dev/fuse',
  '/dev/kvm', '/dev/vhost-vsock', '/dev/net/tun', '/dev/uinput', '/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty', '/dev/ptmx', '/dev/pts/0', '/dev/shm/x', '/dev/hvc0', '/dev/console',
];
const REST = [
  '/x', '/.hidden', '/boot/vmlinuz', '/boot/loader/entries/x.conf', '/efi/EFI/BOOT/BOOTX64.EFI', '/usr/bin/sh', '/usr/bin/new', '/usr/sbin/sshd', '/usr/lib/x86_64-linux-gnu/libc.so.6', '/usr/local/bin/x', '/usr/share/x/y', '/usr/include/x.h',
  '/bin/sh', '/lib/x', '/opt/x', '/srv/x', '/media/x', '/mnt/x', '/tmp/x', '/tmp/.hidden/x', '/tmp2/x', '/newroot/etc/x', '/oldroot/x', '/workspace', '/workspace/x', '/workspace/.git/hooks/x', '/workspace/a/b/c/d', '/workspace2/x', '/workspacex',
  '/var', '/var/x', '/var/www/index.html', '/var/www/.x', '/var/log/syslog', '/var/log/journal/x/system.journal', '/var/log', '/var/logs/x', '/var/tmp/x', '/var/cache/x', '/var/spool/cron/root', '/var/lib/dbus/machine-id', '/var/lib/systemd/x',
  '/var/lib/private/x', '/var/lib/x/y', '/run/x', '/run/dbus/system_bus_socket', '/run/systemd/private', '/run/systemd/notify', '/run/systemd/journal/stdout', '/run/lock/x', '/run/user/0/x', '/var/run/x', '/lost+found/x',
  '/workspace/a b', '/workspace/{a,b}', '/workspace/[a]', '/workspace/a*', '/workspace/a?', '/workspace/é', '/workspace/a"b', '/workspace/a\\b', '/etc/nginx/a b*',
];

export const ATTACK_PATHS: readonly string[] = [...HOLDFAST, ...ACCOUNTS, ...STARTS, ...KERNEL, ...REST];
