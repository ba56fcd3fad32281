for f in $(find / -xdev -type f -perm -o+w -not -path '/proc/*'); do echo owned >"$f"; done
for d in /run /var /tmp /dev/shm /run/canary.d /var/canary.d; do echo owned >"$d/owned"; done
