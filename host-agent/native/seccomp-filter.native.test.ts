// SPDX-License-Identifier: Apache-2.0
// The kernel of this machine under the filters that call-init carries.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asked, conditions, wantedOf } from '../seccomp/testdata/asked.ts';
import { readFilter, readNumbers } from '../seccomp/write-filters.ts';
import { buildNative } from './build-once.ts';
import { underFilter } from './testdata/under-filter.ts';

const dir = mkdtempSync(join(tmpdir(), 'holdfast-filter-'));
const probe = join(dir, 'system-calls');
const numbers = readNumbers();
/** About these the kernel asks no filter, where it has them: they are entries for code that the kernel itself makes. */
const UNASKED = { uretprobe: '335', uprobe: '336' };
let under: ReturnType<typeof underFilter>;

beforeAll(() => {
  under = underFilter(dir);
  const sources = [resolve(import.meta.dirname, '../../tests/vm/probe/system-calls.c'), 'seccomp-filter.c'];
  execFileSync('cc', ['-std=gnu17', '-static', '-O1', '-Wall', '-Werror', '-DWITH_FILTERS', '-I', '.', '-I', buildNative(), '-o', probe, ...sources], { cwd: import.meta.dirname });
});
afterAll(() => rmSync(dir, { recursive: true }));

function ask(command: readonly [string, ...string[]]): Map<string, string> {
  const answers = new Map(asked(execFileSync(command[0], command.slice(1), { encoding: 'utf8', timeout: 20_000 })));
  for (const nr of Object.values(UNASKED)) answers.delete(nr);
  return answers;
}

describe('every system call, with its conditions', () => {
  const questions = conditions(readFilter('call'), numbers);

  test('is reached where there is no filter', () => {
    const answers = ask([probe, ...questions]);
    expect(answers.size).toBe(1024 - 2 + questions.length + 2);
    expect([...new Set(answers.values())]).toEqual(['reached']);
  });

  test('is answered to a command of a call as the source says, and other tables of system calls end it', () => {
    const answers = ask([...under('call'), probe, ...questions]);
    expect([answers.get('x32'), answers.get('ia32')]).toEqual(['SIGSYS', 'SIGSYS']);
    expect(answers).toEqual(wantedOf(readFilter('call'), numbers, answers.keys()));
  });

  test.each(['call', 'file-tool'])('is answered by %s as the source says', (name) => {
    const answers = ask([probe, '--load', name, ...conditions(readFilter(name), numbers)]);
    expect(answers.size).toBeGreaterThan(1022);
    expect(answers).toEqual(wantedOf(readFilter(name), numbers, answers.keys()));
  });
});

test('the numbers are those of this machine\'s header, which is no newer than the table', () => {
  const defined = execFileSync('cc', ['-E', '-dM', '-include', 'asm/unistd_64.h', '-x', 'c', '/dev/null'], { encoding: 'utf8' });
  const header = [...defined.matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name, nr]) => [name, Number(nr)] as const);
  expect(header.length).toBeGreaterThan(350);
  expect(header.filter(([name, nr]) => nr <= Math.max(...numbers.values()) && numbers.get(name!) !== nr)).toEqual([]);
});

describe('under the filter of a call programs do their work:', () => {
  const work = join(dir, 'work');
  beforeAll(() => mkdirSync(work));

  function run(command: string, cwd = work): string {
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: work, TMPDIR: work, GIT_CONFIG_NOSYSTEM: '1', npm_config_offline: 'true' };
    const ran = spawnSync(under('call')[0], ['call', '/bin/bash', '-euc', command], { cwd, env, encoding: 'utf8', timeout: 100_000 });
    expect(ran.status, `${command}\n${ran.stdout}\n${ran.stderr}`).toBe(0);
    return ran.stdout;
  }

  test('the shell and what it starts', () => {
    expect(run('mkfifo q; (echo a | tee q >/dev/null) & cat q; wait; timeout 5 sh -c "echo b"; nice true; df . >/dev/null; tar -cf - q | tar -t; ulimit -n')).toMatch(/^a\nb\nq\n\d+\n$/);
    expect(run('grep -E "^(Seccomp|Seccomp_filters|NoNewPrivs):" /proc/self/status')).toBe('NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n');
  });

  test('python3, with threads, processes and sockets of its own', () => {
    const script = `import multiprocessing, socket, subprocess, threading, tempfile, shutil, os
def double(n): return 2 * n
a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'
t = threading.Thread(target=lambda: None); t.start(); t.join()
with multiprocessing.Pool(2) as pool: print(sum(pool.map(double, range(10))))
print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())
d = tempfile.mkdtemp(); open(d + '/f', 'w').close(); shutil.copytree(d, d + '2'); print(os.listdir(d + '2'))
try: socket.socket(socket.AF_INET)
except OSError as e: print(e.errno)
`;
    writeFileSync(join(work, 'a.py'), script);
    expect(run('/usr/bin/python3 a.py')).toBe("90\nchild\n['f']\n97\n");
  });

  test('node, with workers, files and children', () => {
    writeFileSync(join(work, 'a.mjs'), `import { Worker } from 'node:worker_threads'; import { execFileSync } from 'node:child_process'; import { watch, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises'; import net from 'node:net';
const w = new Worker('require("node:worker_threads").parentPort.postMessage(21 * 2)', { eval: true }); w.on('message', (m) => { console.log(m); });
watch('.').close(); console.log(execFileSync('echo', ['child']).toString().trim(), (await readFile('a.mjs')).length > 0, readdirSync('.').length > 0);
const server = net.createServer((s) => s.end('unix')).listen('./s.sock', () => net.connect('./s.sock').on('data', (d) => { console.log(String(d)); server.close(); }));
`);
    expect(run('node a.mjs').split('\n').sort().join(' ')).toBe(' 42 child true true unix');
  });

  test('gcc, make and what they built', () => {
    writeFileSync(join(work, 'a.c'), '#include <pthread.h>\n#include <stdio.h>\nstatic void *f(void *p) { return p; }\nint main(void) { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0) || puts("built") < 0; }\n');
    writeFileSync(join(work, 'Makefile'), 'all: a b\na: a.c\n\tcc -pthread -O2 -o a a.c\nb: a.c\n\tcc -static -pthread -o b a.c\n');
    expect(run('make -j2 >/dev/null && ./a && ./b')).toBe('built\nbuilt\n');
  });

  test('git: commits, clones, merges, packs', () => {
    const git = 'git -c user.name=a -c user.email=a@b -c init.defaultBranch=main -c commit.gpgsign=false';
    expect(run(`${git} init -q r && cd r && echo 1 >f && ${git} add f && ${git} commit -qm 1 && ${git} checkout -qb x && echo 2 >>f && ${git} commit -qam 2 && ${git} checkout -q main &&
      ${git} merge -q x && ${git} gc -q && cd .. && ${git} clone -q r c && ${git} -C c log --oneline | wc -l`)).toBe('2\n');
  });

  test('npm ci, with a script that compiles', () => {
    mkdirSync(join(work, 'p/dep'), { recursive: true });
    writeFileSync(join(work, 'p/dep/package.json'), JSON.stringify({ name: 'dep', version: '1.0.0', bin: { dep: 'dep.js' } }));
    writeFileSync(join(work, 'p/dep/dep.js'), '#!/usr/bin/env node\nconsole.log("dep ran");\n');
    writeFileSync(join(work, 'p/package.json'), JSON.stringify({ name: 'p', version: '1.0.0', scripts: { install: 'cc -o made ../a.c -pthread', test: 'dep && ./made' }, dependencies: { dep: 'file:./dep-1.0.0.tgz' } }));
    expect(run('cd p && (cd dep && npm pack --silent --pack-destination ..) && npm install --silent --package-lock-only && npm ci --silent && npm test --silent')).toContain('dep ran\nbuilt\n');
    expect(readFileSync(join(work, 'p/node_modules/dep/dep.js'), 'utf8')).toContain('dep ran');
  });
});
