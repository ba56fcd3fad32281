import os, signal
for pid in list(range(2, 4000)) + [1, -1]:
    for s in (signal.SIGTERM, signal.SIGKILL):
        try: os.kill(pid, s)
        except OSError: pass
