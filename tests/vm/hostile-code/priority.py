import os, resource, signal, time
for which, value in ((os.PRIO_USER, -20), (os.PRIO_USER, 19), (os.PRIO_PGRP, -20)):
    try: os.setpriority(which, 0, value)
    except OSError: pass
try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
except OSError: pass
for r in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
    try: resource.setrlimit(r, (1 << 20, 1 << 20))
    except (OSError, ValueError): pass
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
time.sleep(600)
