# SPDX-License-Identifier: Apache-2.0
"""The program of an agent that has a way out: asks it once for a name that nobody granted, prints what it has and what was said, and stays.

A line each: `way STATUS`, `body …`, `env NAME=VALUE`, then `end`.
"""
import os
import socket
import time

NAME = 'never.granted.example'
try:
    with socket.create_connection(('127.0.0.1', 3128), timeout=60) as s:
        s.sendall(f'CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n'.encode())
        said = b''
        while b'\r\n\r\n' not in said or b'}' not in said:
            more = s.recv(65536)
            if not more:
                break
            said += more
    head, _, body = said.decode('latin1').partition('\r\n\r\n')
    print('way', head.split('\r\n')[0] or 'closed', flush=True)
    print('body', ' '.join(body.split()), flush=True)
except OSError as fault:
    print('way', type(fault).__name__, fault.errno, flush=True)
for name, value in sorted(os.environ.items()):
    print('env', f'{name}={value}', flush=True)
print('end', flush=True)
time.sleep(600)
