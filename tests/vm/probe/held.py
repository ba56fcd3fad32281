# SPDX-License-Identifier: Apache-2.0
"""Which processes of a control group hold which texts: in their environment and in their memory, page by page, past every guard.

python3 -I held.py GROUP, as root; the texts, a line each, on standard input, so that they are in nobody's arguments. Prints a line of JSON
for each process but itself: {pid, unit, name, environ: [n], memory: [n], bytes}, n being
the numbers of the texts that were found; and `fault` where it could not be read, mostly because it has ended.
"""
import json
import os
import struct
import sys

wanted = [line.encode() for line in sys.stdin.read().split('\n') if line]
longest = max(len(text) for text in wanted)
CHUNK = 1 << 20
BLOCK = CHUNK << 6
PAGE = os.sysconf('SC_PAGE_SIZE')


def pids(group):
    for folder, _, files in os.walk('/sys/fs/cgroup' + group):
        if 'cgroup.procs' in files:
            units = [part for part in folder.split('/') if part.endswith(('.service', '.scope'))]
            with open(f'{folder}/cgroup.procs') as procs:
                yield from ((int(pid), units[-1] if units else folder) for pid in procs)


def present(pagemap, low, high):
    """Pieces of which some page is there: what was only reserved holds nothing, and there are gigabytes of it."""
    for block in range(low, high, BLOCK):
        end = min(block + BLOCK, high)
        pagemap.seek(block // PAGE * 8)
        entries = pagemap.read((end - block) // PAGE * 8)
        if len(entries) < 8:
            # Its memory is gone, and it with it.
            return
        # All alike, as of what was never touched, is seen at once. The highest two bits: it is there, or in swap.
        if entries[7] >> 6 == 0 and entries == entries[:8] * (len(entries) // 8):
            continue
        for at in range(block, end, CHUNK):
            words = entries[(at - block) // PAGE * 8:(min(at + CHUNK, end) - block) // PAGE * 8]
            if any(entry >> 62 for entry, in struct.iter_unpack('=Q', words)):
                yield at, min(at + CHUNK, end)


for pid, unit in pids(sys.argv[1]):
    if pid == os.getpid():
        continue
    try:
        with open(f'/proc/{pid}/comm') as comm, open(f'/proc/{pid}/environ', 'rb') as environ:
            name, variables = comm.read().strip(), environ.read()
        with open(f'/proc/{pid}/maps') as maps:
            regions = [line.split() for line in maps]
        mem, pagemap = open(f'/proc/{pid}/mem', 'rb', buffering=0), open(f'/proc/{pid}/pagemap', 'rb', buffering=0)
    except OSError as fault:
        print(json.dumps({'pid': pid, 'unit': unit, 'name': '', 'environ': [], 'memory': [], 'bytes': 0, 'fault': str(fault)}))
        continue
    found, read = set(), 0
    for words in regions:
        if 'r' not in words[1] or (len(words) > 5 and words[5].startswith('[v')):
            continue
        low, high = (int(part, 16) for part in words[0].split('-'))
        kept, after = b'', low
        for at, end in present(pagemap, low, high):
            try:
                mem.seek(at)
                held = (kept if at == after else b'') + mem.read(end - at)
            except OSError:
                continue
            read += end - at
            found |= {n for n, text in enumerate(wanted) if text in held}
            kept, after = held[-longest:], end
    print(json.dumps({'pid': pid, 'unit': unit, 'name': name, 'environ': [n for n, text in enumerate(wanted) if text in variables], 'memory': sorted(found), 'bytes': read}))
