# SPDX-License-Identifier: Apache-2.0
"""Runs what steps.json says in the workspace, one after the other, each in a shell, and writes down how each ended: steps.py of an agent."""
import json
import subprocess
import time

LONGEST_S = 400
with open('/workspace/steps.json') as said:
    steps = json.load(said)
ended = {}
for name, command in steps.items():
    began = time.monotonic()
    try:
        ran = subprocess.run(['sh', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LONGEST_S, cwd='/workspace')
        status, out = ran.returncode, ran.stdout
    except subprocess.TimeoutExpired as late:
        status, out = 'hung', late.stdout or b''
    ended[name] = {'status': status, 'out': out.decode(errors='replace')[-6000:], 'seconds': round(time.monotonic() - began, 1)}
    print(name, status, ended[name]['seconds'], flush=True)
with open('/workspace/ended.json', 'w') as file:
    json.dump(ended, file)
print('all done', flush=True)
