# SPDX-License-Identifier: Apache-2.0
"""Somebody else on the machine's network, at the other end of a wire that this adds and takes away: scans its ports, and leaves ssh hanging.

  python3 -I outside.py scan TO       prints `tcp PORT` for each that answers, `udp PORT` for each that answers or is told to be closed, then `end`
  python3 -I outside.py hang COUNT    opens so many connections to ssh that say nothing; prints `held N`; ends, and they with it, at the end of input
  python3 -I outside.py offer         prints what sshd offers: a line for each list of algorithms
"""
import errno
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time

HERE, THERE = '44.129.0.2', '44.129.0.1'
UDP = (7, 19, 53, 67, 68, 69, 111, 123, 137, 138, 161, 162, 443, 500, 514, 520, 546, 547, 623, 631, 1194, 1434, 1645, 1701, 1812, 1900, 2049, 3478, 4500, 4789,
       5004, 5060, 5351, 5353, 5355, 5683, 6081, 8125, 10000, 11211, 27015, 33434, 41641, 47808, 51820, 55555, 65000)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def scan(to):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    waiting = {}
    poll = select.epoll()

    def settle(patience):
        for fd, _ in poll.poll(patience):
            port, s, _ = waiting.pop(fd)
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                print('tcp', port, flush=True)
            s.close()
        for fd, (_, s, since) in list(waiting.items()):
            if time.monotonic() - since > 3:
                del waiting[fd]
                s.close()

    for port in range(1, to + 1):
        s = socket.socket()
        s.setblocking(False)
        answer = s.connect_ex((HERE, port))
        if answer == errno.EINPROGRESS:
            poll.register(s, select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP)
            waiting[s.fileno()] = (port, s, time.monotonic())
            while len(waiting) >= 4000:
                settle(0.05)
        else:
            if answer == 0:
                print('tcp', port, flush=True)
            s.close()
    while waiting:
        settle(0.05)
    for port in UDP:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.connect((HERE, port))
            s.send(b'\0' * 12)
            try:
                s.recv(16)
                print('udp', port, flush=True)
            except TimeoutError:
                pass
            except ConnectionRefusedError:
                print('udp', port, 'closed', flush=True)
    print('end', flush=True)


def hang(count):
    held = []
    for _ in range(count):
        s = socket.socket()
        s.settimeout(5)
        try:
            s.connect((HERE, 22))
            held.append(s)
        except OSError:
            s.close()
    print('held', len(held), flush=True)
    sys.stdin.read()


def offer():
    with socket.create_connection((HERE, 22), timeout=60) as s:
        s.sendall(b'SSH-2.0-outside\r\n')
        stream = s.makefile('rb')
        banner = stream.readline()
        print('banner', banner.decode().strip(), flush=True)
        # RFC 4253, 6 and 7.1: length, padding, message 20, a cookie of 16 bytes, then name-lists
        length, padding = struct.unpack('>IB', stream.read(5))
        packet = stream.read(length - 1)
        at = 17
        for name in ('kex', 'hostkey', 'cipher-in', 'cipher-out', 'mac-in', 'mac-out'):
            size, = struct.unpack_from('>I', packet, at)
            print(name, packet[at + 4:at + 4 + size].decode(), flush=True)
            at += 4 + size


def main():
    peer = subprocess.Popen(['unshare', '-n', 'sleep', '900'])
    try:
        while os.readlink(f'/proc/{peer.pid}/ns/net') == os.readlink('/proc/self/ns/net'):
            time.sleep(0.01)
        run('ip', 'link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'far', 'netns', str(peer.pid))
        run('ip', 'address', 'add', f'{HERE}/24', 'dev', 'outside')
        run('ip', 'link', 'set', 'outside', 'up')
        there = ('nsenter', '-t', str(peer.pid), '-n')
        run(*there, 'ip', 'address', 'add', f'{THERE}/24', 'dev', 'far')
        run(*there, 'ip', 'link', 'set', 'far', 'up')
        subprocess.run([*there, sys.executable, '-I', __file__, '--there', *sys.argv[1:]], check=True)
    finally:
        subprocess.run(['ip', 'link', 'delete', 'outside'])
        peer.kill()


if sys.argv[1] != '--there':
    main()
elif sys.argv[2] == 'scan':
    scan(int(sys.argv[3]))
elif sys.argv[2] == 'hang':
    hang(int(sys.argv[3]))
else:
    offer()
