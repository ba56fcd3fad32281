cat /etc/shadow /etc/gshadow /etc/sudoers
cp /etc/shadow /workspace/
ln -s /etc/shadow /workspace/s; cat /workspace/s
ln /etc/shadow /workspace/h
tar cf /workspace/etc.tar /etc
