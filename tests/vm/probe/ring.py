# SPDX-License-Identifier: Apache-2.0
"""What an agent's own process tries with its own hands. Runs as the program of an agent: python3 -I /workspace/ring.py

Reads /workspace/acts, prints a line an act: ACT ARG ok|ERRNO, between `begin RUN` and `end RUN`. As the static probe does;
an agent cannot execute what it brings, so this one is a script for the python of the image.
"""
import array
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
NR = dict(ptrace=101, mount=165, setuid=105, chroot=161, mknod=133, add_key=248, unshare=272, perf_event_open=298, bpf=321,
          userfaultfd=323, io_uring_setup=425, reboot=169, init_module=175, clock_settime=227, sethostname=170)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000


def syscall(name, *args):
    if libc.syscall(NR[name], *args) < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


def in_child(act):
    """What it changes of the process does not reach the next act."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            act()
            e = 0
        except OSError as fault:
            e = fault.errno
        os.write(w, str(e).encode())
        os._exit(0)
    os.close(w)
    said = os.read(r, 16)
    os.close(r)
    _, status = os.waitpid(pid, 0)
    if said == b'':
        raise OSError(errno.ENOTRECOVERABLE, f'status {status}')
    if said != b'0':
        raise OSError(int(said), '')


def opened(path, flags):
    os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))


def sock(family, kind, proto=0):
    socket.socket(family, kind, proto).close()


def connected(family, where):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect(where)


def executed(path):
    r, w = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
            os.execv(path, [path, '-c', 'true'])
        except OSError as fault:
            os.write(w, str(fault.errno).encode())
        os._exit(1)
    os.close(w)
    said = os.read(r, 16)
    os.close(r)
    os.waitpid(pid, 0)
    if said != b'':
        raise OSError(int(said), '')


HELLO = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'initialize', 'params': {
    'protocolVersion': '2025-11-25', 'capabilities': {}, 'clientInfo': {'name': 'ring', 'version': '1'}}}).encode() + b'\n'


def greeted(path, fds=()):
    """Through a door: connected, spoken, answered. A door that closes without an answer is ECONNRESET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(path)
        if fds:
            s.sendmsg([HELLO], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])
        else:
            s.sendall(HELLO)
        said = s.recv(65536)
        if not said or b'"result"' not in said:
            print('# said', said[:300], flush=True)
            raise OSError(errno.ECONNRESET, '')


def passed(path):
    with open('/dev/null') as null:
        greeted(path, [null.fileno()] * 8)


def asked(path):
    """Through the operators' door."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(b'{"op":"agents"}\n')
        said = s.recv(65536)
        if b'"ok":true' not in said:
            print('# said', said[:300], flush=True)
            raise OSError(errno.ECONNREFUSED, '')


ACTS = {
    'read': lambda a: opened(a, os.O_RDONLY),
    'write': lambda a: opened(a, os.O_WRONLY),
    'create': lambda a: opened(a, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    'mkdir': os.mkdir,
    'list': os.listdir,
    'exec': executed,
    'unix': lambda a: connected(socket.AF_UNIX, a),
    'abstract': lambda a: connected(socket.AF_UNIX, '\0' + a),
    'door': greeted,
    'passfds': passed,
    'operate': asked,
    'inet': lambda a: connected(socket.AF_INET, (a, 443)),
    'tcp': lambda a: connected(socket.AF_INET, (a.split(':')[0], int(a.split(':')[1]))),
    'inet6': lambda a: sock(socket.AF_INET6, socket.SOCK_STREAM),
    'udp': lambda a: sock(socket.AF_INET, socket.SOCK_DGRAM),
    'raw': lambda a: sock(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    'packet': lambda a: sock(socket.AF_PACKET, socket.SOCK_RAW),
    'netlink': lambda a: sock(socket.AF_NETLINK, socket.SOCK_RAW),
    'vsock': lambda a: sock(socket.AF_VSOCK, socket.SOCK_STREAM),
    'alg': lambda a: sock(socket.AF_ALG, socket.SOCK_SEQPACKET),
    'kill': lambda a: os.kill(int(a), signal.SIGCONT),
    'see': lambda a: os.stat(f'/proc/{a}'),
    'ptrace': lambda a: in_child(lambda: syscall('ptrace', 16, int(a), 0, 0)),
    'userns': lambda a: in_child(lambda: syscall('unshare', CLONE_NEWUSER)),
    'mountns': lambda a: in_child(lambda: syscall('unshare', CLONE_NEWNS)),
    'mount': lambda a: in_child(lambda: syscall('mount', b'none', b'/tmp', b'tmpfs', 0, None)),
    'chroot': lambda a: in_child(lambda: syscall('chroot', b'/tmp')),
    'setuid': lambda a: in_child(lambda: syscall('setuid', 0)),
    'mknod': lambda a: syscall('mknod', b'/tmp/node', 0o60600, 0x801),
    'keyctl': lambda a: in_child(lambda: syscall('add_key', b'user', b'ring', b'x', 1, -3)),
    # an array of one 4-byte value; a counter of the task's own time
    'bpf': lambda a: syscall('bpf', 0, struct.pack('IIIII', 2, 4, 4, 1, 0), 20),
    'perf': lambda a: syscall('perf_event_open', struct.pack('IIQ', 1, 112, 1).ljust(112, b'\0'), 0, -1, -1, 0),
    'userfaultfd': lambda a: syscall('userfaultfd', 0),
    'io_uring': lambda a: syscall('io_uring_setup', 1, ctypes.create_string_buffer(120)),
    'reboot': lambda a: syscall('reboot', 0xfee1dead, 672274793, 0, None),
    'clock': lambda a: syscall('clock_settime', 0, ctypes.byref((ctypes.c_long * 2)(1, 0))),
    'module': lambda a: syscall('init_module', None, 0, b''),
    'hostname': lambda a: syscall('sethostname', b'x', 1),
}

with open('/workspace/acts') as f:
    run, *lines = f.read().split('\n')
print('begin', run, flush=True)
for line in lines:
    if line == '':
        continue
    act, arg = line.split(' ')
    try:
        ACTS[act](arg)
        said = 'ok'
    except TimeoutError:
        said = 'ETIMEDOUT'
    except OSError as fault:
        said = errno.errorcode.get(fault.errno, f'E{fault.errno}')
    print(act, arg, said, flush=True)
with open('/proc/self/status') as f:
    print(*[l.strip().replace('\t', ' ') for l in f if l.startswith(('NoNewPrivs', 'Seccomp:', 'CapBnd'))], sep='\n')
print('end', run, flush=True)
sys.exit(0)
