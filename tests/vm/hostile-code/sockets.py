import socket
for fam, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "10.0.2.15"), (socket.AF_INET, "10.0.2.2"), (socket.AF_INET6, "::1")):
    for port in (21, 53, 80, 443, 1234, 4444, 8000, 8080, 9999):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                s = socket.socket(fam, kind)
                s.settimeout(1)
                s.connect((host, port))
                s.send(b"secret")
            except OSError: pass
for name in ("\0canary", "/run/dbus/system_bus_socket", "/run/systemd/journal/socket", "/run/systemd/notify"):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(name)
        s.send(b"x")
    except OSError: pass
for fam in (16, 17, 15, 38, 40, 31):
    try: socket.socket(fam, socket.SOCK_RAW)
    except OSError: pass
