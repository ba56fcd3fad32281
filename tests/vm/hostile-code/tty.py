import fcntl, os, termios
for name in ("/dev/tty", "/dev/console", "/dev/tty0", "/dev/ttyS0", "/dev/pts/0", "/dev/ptmx"):
    try:
        fd = os.open(name, os.O_RDWR)
        for c in b"reboot\n": fcntl.ioctl(fd, termios.TIOCSTI, bytes([c]))
    except OSError: pass
