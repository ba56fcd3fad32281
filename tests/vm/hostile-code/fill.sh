dd if=/dev/zero of=/workspace/big bs=1M count=200
dd if=/dev/zero of=/tmp/big bs=1M
dd if=/dev/zero of=/dev/shm/big bs=1M
for i in $(seq 3000); do : >/workspace/n$i; done
