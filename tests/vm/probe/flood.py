# SPDX-License-Identifier: Apache-2.0
"""A contained agent that does more than anybody will read: python3 -I -B /workspace/flood.py CHANGES EXECS

Each of two processes makes and removes files, and runs a program, as fast as it can. Says what it did.
"""
import os
import sys

changes, execs = int(sys.argv[1]), int(sys.argv[2])
for half in range(2):
    if os.fork() == 0:
        for i in range(changes // 4):
            path = f'/workspace/flood-{half}-{i}'
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            os.unlink(path)
        for i in range(execs // 2):
            os.waitpid(os.posix_spawn('/usr/bin/true', ['true', str(i)], {}), 0)
        os._exit(0)
for half in range(2):
    os.wait()
print('the flood is over', flush=True)
