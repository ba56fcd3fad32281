# SPDX-License-Identifier: Apache-2.0
# confined.py LABEL PROGRAM: runs PROGRAM under an AppArmor label in a root that holds nothing but a file for every path of its input
# (opens.c), all of them open to everybody: what is refused then, the label refuses, and no mount, mode or owner.
import ctypes, os, sys

label, program = sys.argv[1], sys.argv[2]
lines = sys.stdin.buffer.read().splitlines()
paths = sorted({line[2:] for line in lines})
libc = ctypes.CDLL(None, use_errno=True)

def must(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

os.umask(0)
os.unshare(os.CLONE_NEWNS)
must(libc.mount(b'none', b'/', None, 0x44000, None))  # MS_REC | MS_PRIVATE
os.makedirs('/run/test-root', exist_ok=True)
must(libc.mount(b'tmpfs', b'/run/test-root', b'tmpfs', 0, b'mode=777'))
home = b'/usr/lib/holdfast/file-tool'  # a path that every call may execute
folders = {path[:at] for path in paths + [home] for at in range(1, len(path)) if path[at:at + 1] == b'/'}
for folder in sorted(folders):
    os.makedirs(b'/run/test-root' + folder, 0o777, exist_ok=True)
for path in paths:
    if path not in folders and path != b'/':
        os.close(os.open(b'/run/test-root' + path, os.O_WRONLY | os.O_CREAT, 0o777))
with open(program, 'rb') as source, open(b'/run/test-root' + home, 'wb') as copy:
    copy.write(source.read())
os.chmod(b'/run/test-root' + home, 0o777)
ask, answer = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    attr = os.open('/proc/thread-self/attr/exec', os.O_WRONLY)
    os.chdir('/run/test-root')
    os.mkdir('old')
    must(libc.syscall(155, b'.', b'old'))
    os.chdir('/')
    must(libc.umount2(b'/old', 2))  # MNT_DETACH
    os.dup2(ask[0], 0)
    os.dup2(answer[1], 1)
    os.write(attr, b'exec ' + label.encode())
    os.closerange(3, 64)
    os.execv(home, [home])
os.close(ask[0])
os.close(answer[1])
if os.fork() == 0:
    with os.fdopen(ask[1], 'wb') as out:
        out.write(b''.join(line + b'\n' for line in lines))
    os._exit(0)
os.close(ask[1])
with os.fdopen(answer[0], 'rb') as answers:
    sys.stdout.buffer.write(answers.read())
