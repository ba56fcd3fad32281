import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x10000000)
libc.unshare(0x00020000)
libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
libc.sethostname(b"owned", 5)
libc.reboot(0x01234567)
libc.ptrace(16, 1, 0, 0)
for n in (155, 161, 165, 166, 167, 168, 169, 170, 175, 176, 246, 248, 250, 272, 298, 304, 308, 310, 311, 313, 321, 323, 425, 428, 429, 430, 442):
    print(n, libc.syscall(n, 0, 0, 0, 0, 0, 0), ctypes.get_errno())
for fd in range(3, 200):
    try: print(fd, os.readlink(f"/proc/self/fd/{fd}"))
    except OSError: pass
