import subprocess
for c in ("ipcs -a", "ipcrm -a", "keyctl show", "ls -l /dev/shm /dev/mqueue", "ps -ef", "lsns", "ss -xa", "dmesg", "journalctl -n1", "last", "env", "mount"):
    subprocess.run(c, shell=True)
