// SPDX-License-Identifier: Apache-2.0
// What keeps a call inside its sandbox: each guard is switched off from outside once, and what it kept from happening happens.
// What the guards keep from happening while they are on is in a-tool-call.test.ts too.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTools, type ToolAnswer } from './door.ts';
import { denialsSince, journalMark, permissive, withDropIn, withLauncher, withProfiles } from './guards.ts';
import { declare, head, logSince, root } from './machine.ts';
import { openCallFilter } from './open-filter.ts';
import { bringProbe, changes, probed, stdout } from './probe.ts';

const CALL = 'holdfast-call-dev';
const RUNNER = 'holdfast-runner-dev';
const UNIT = 'holdfast-runner@worker.service';
const WORKSPACES = '/var/lib/holdfast-workspaces';
const ACTS = [
  'read /workspace/probe', 'exec /bin/sh', 'userns -', 'mountns -', 'mount -', 'keyctl -', 'bpf -', 'perf -', 'io_uring -', 'reboot -', 'clock -',
  'inet 192.0.2.1', 'inet6 -', 'udp -', 'raw -', 'packet -', 'netlink -', 'vsock -', 'alg -',
  'read /etc/hostname', 'read /etc/shadow', 'write /proc/self/attr/current', 'mkdir /sys/x', 'see 2',
];
let withFilter: Record<string, string> = {};
let before: Record<string, string> = {};
let closeFilter = (): void => undefined;

async function run(agent: string, program: string, ...args: string[]): Promise<ToolAnswer> {
  return (await callTools(agent, [{ tool: 'process.run', args: { program, args } }]))[0]!;
}

async function inCall(): Promise<Record<string, string>> {
  const answer = await run('worker', 'env', '/workspace/probe', ...ACTS.flatMap((act) => act.split(' ')));
  const got = probed(answer);
  expect(Object.keys(got), answer.text).toEqual(ACTS);
  return got;
}

/** The runner takes its unit's lines at its next start; the next call starts it. */
function without(...lines: string[]): Promise<Record<string, string>> {
  return withDropIn(UNIT, lines, async () => {
    root(`systemctl stop ${UNIT}`);
    return inCall();
  }).finally(() => root(`systemctl stop ${UNIT}`));
}

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: task\n');
  await bringProbe('worker');
  withFilter = await inCall();
  // Its answer comes before every other guard's.
  closeFilter = await openCallFilter();
  before = await inCall();
});
afterAll(() => closeFilter());

describe('with a guard switched off from outside', () => {
  it('the call\'s own filter: the guards behind it refuse the same', () => {
    expect(changes(withFilter, before)).toEqual({ 'userns -': 'EPERM → EACCES' });
  });

  it('and with it off: the probe runs, and meets these', () => {
    expect(before).toEqual({
      'alg -': 'EAFNOSUPPORT',
      'bpf -': 'EPERM',
      'clock -': 'EPERM',
      'exec /bin/sh': 'ok',
      'inet 192.0.2.1': 'EAFNOSUPPORT',
      'inet6 -': 'EAFNOSUPPORT',
      'io_uring -': 'EPERM',
      'keyctl -': 'EPERM',
      'mkdir /sys/x': 'ENOENT',
      'mount -': 'EPERM',
      'mountns -': 'EPERM',
      'netlink -': 'EAFNOSUPPORT',
      'packet -': 'EAFNOSUPPORT',
      'perf -': 'EPERM',
      'raw -': 'EAFNOSUPPORT',
      'read /etc/hostname': 'ENOENT',
      'read /etc/shadow': 'ENOENT',
      'read /workspace/probe': 'ok',
      'reboot -': 'EPERM',
      'see 2': 'ok',
      'udp -': 'EAFNOSUPPORT',
      'userns -': 'EACCES',
      'vsock -': 'EAFNOSUPPORT',
      'write /proc/self/attr/current': 'EROFS',
    });
  });

  it('the call\'s AppArmor profile', async () => {
    const mark = journalMark();
    await inCall();
    expect(denialsSince(mark)).toContainEqual(expect.objectContaining({ profile: CALL, operation: 'userns_create' }));
    expect(changes(before, await withProfiles({ [CALL]: permissive(CALL) }, inCall))).toEqual({
      'userns -': 'EACCES → ok',
    });
  });

  it('RestrictAddressFamilies= of the runner: both profiles refuse, on record', async () => {
    const mark = journalMark();
    expect(changes(before, await without('RestrictAddressFamilies='))).toEqual({
      'alg -': 'EAFNOSUPPORT → EACCES',
      'inet 192.0.2.1': 'EAFNOSUPPORT → EACCES',
      'inet6 -': 'EAFNOSUPPORT → EACCES',
      'netlink -': 'EAFNOSUPPORT → EACCES',
      'packet -': 'EAFNOSUPPORT → EACCES',
      'raw -': 'EAFNOSUPPORT → EACCES',
      'udp -': 'EAFNOSUPPORT → EACCES',
      'vsock -': 'EAFNOSUPPORT → EACCES',
    });
    const refusing = new Set(denialsSince(mark).filter(({ operation }) => operation === 'create').map(({ profile }) => profile));
    expect([...refusing].sort()).toEqual([CALL, RUNNER]);
    // the way into the call's label stays: without it the call would be refused for its label
    const stacked = `/usr/lib/holdfast/call-init px -> ${RUNNER}//&${CALL}`;
    const both = { [CALL]: permissive(CALL), [RUNNER]: permissive(RUNNER, [stacked]) };
    expect(changes(before, await withProfiles(both, () => without('RestrictAddressFamilies=')))).toEqual({
      'alg -': 'EAFNOSUPPORT → ok',
      'inet 192.0.2.1': 'EAFNOSUPPORT → ENETUNREACH',
      'inet6 -': 'EAFNOSUPPORT → ok',
      'netlink -': 'EAFNOSUPPORT → ok',
      'packet -': 'EAFNOSUPPORT → EPERM',
      'raw -': 'EAFNOSUPPORT → EPERM',
      'udp -': 'EAFNOSUPPORT → ok',
      'userns -': 'EACCES → ok',
      'vsock -': 'EAFNOSUPPORT → ok',
    });
  });

  it('SystemCallFilter= of the runner', async () => {
    expect(changes(before, await without('SystemCallErrorNumber=EUCLEAN'))).toEqual({
      'bpf -': 'EPERM → EUCLEAN',
      'clock -': 'EPERM → EUCLEAN',
      'io_uring -': 'EPERM → EUCLEAN',
      'keyctl -': 'EPERM → EUCLEAN',
      'mount -': 'EPERM → EUCLEAN',
      'perf -': 'EPERM → EUCLEAN',
      'reboot -': 'EPERM → EUCLEAN',
    });
    expect(changes(before, await without('SystemCallFilter='))).toEqual({
      'keyctl -': 'EPERM → ok',
      'mount -': 'EPERM → EACCES',
      'perf -': 'EPERM → EACCES',
    });
  });

  it('the mounts that the runner asks its launcher for', async () => {
    expect(changes(before, await withLauncher('"$@" --image /etc/hostname --image /etc/shadow --image /sys', inCall))).toEqual({
      'mkdir /sys/x': 'ENOENT → EROFS',
      'read /etc/hostname': 'ENOENT → ok',
      'read /etc/shadow': 'ENOENT → EACCES',
    });
  });

  it('the runner\'s profile: no launcher puts a tree together but in the runner\'s own folder', async () => {
    const elsewhere = '"$1" "$2" "$3" /workspace "$5" "$6" --proc';
    const mark = journalMark();
    const refused = await withLauncher(elsewhere, () => run('worker', 'true'));
    expect(refused).toMatchObject({ isError: true, text: expect.stringMatching(/cannot build the sandbox: stage: EACCES/) });
    expect(denialsSince(mark)).toContainEqual(expect.objectContaining({ profile: RUNNER, operation: 'mount', name: '/workspace/' }));
    const stacked = `/usr/lib/holdfast/call-init px -> ${RUNNER}//&${CALL}`;
    const off = await withProfiles({ [RUNNER]: permissive(RUNNER, [stacked]) }, () => withLauncher(elsewhere, () => run('worker', 'true')));
    expect(off.text).not.toMatch(/stage/);
  });

  it('NoNewPrivileges= of the runner: the launcher sets it again, and it cannot be switched off', async () => {
    const status = () => run('worker', 'grep', '-E', '^(NoNewPrivs|CapEff|CapBnd|Seccomp):', '/proc/self/status').then(stdout);
    const wanted = 'CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n';
    expect(await status()).toBe(wanted);
    const off = await withDropIn(UNIT, ['NoNewPrivileges=no'], async () => {
      root(`systemctl stop ${UNIT}`);
      return status();
    });
    root(`systemctl stop ${UNIT}`);
    expect(off).toBe(wanted);
  });
});

describe('a call whose label is not the one it was permitted', () => {
  const marker = `${WORKSPACES}/worker/ran`;
  const act = () => run('worker', 'touch', '/workspace/ran');

  it('does not run: call-init starts nothing under another label than it was told', async () => {
    root(`rm -f ${marker}`);
    expect(await act()).toMatchObject({ isError: false });
    root(`rm ${marker}`);
    const seq = head();
    // The runner asks for another label than the call gets; that a profile only complains would stop holdfastd before (kernel-truth.test.ts).
    const expecting = 'sed s/holdfast-call-dev/holdfast-call-task/ /run/holdfast/declared/agents.json >/run/test-agents.json';
    root(`${expecting} && chmod 644 /run/test-agents.json && systemctl stop ${UNIT}`);
    const answer = await withDropIn(UNIT, ['BindReadOnlyPaths=/run/test-agents.json:/run/holdfast/declared/agents.json'], act).finally(() => root(`systemctl stop ${UNIT}; rm /run/test-agents.json`));
    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(/would have run as .*holdfast-call-dev.*and not as .*holdfast-call-task/);
    expect(root(`ls ${marker} 2>/dev/null || echo none`)).toBe('none\n');
    expect(logSince(seq, '--agent worker --kind call.outcome')[0]).toMatchObject({ data: { status: 'failed' } });
  });

});

describe('paths that lead out', () => {
  const read = (path: string) => ({ tool: 'fs.read', args: { path } });
  const write = (path: string) => ({ tool: 'fs.write', args: { path, text: 'x', mode: 'replace' } });

  it('a symbolic link is not followed: ELOOP, whatever it points at (A09)', async () => {
    root(`cd ${WORKSPACES}/laptop && mkdir -p d && echo inside >d/f && echo other >../worker/secret && chmod 644 ../worker/secret &&
      ln -sfn /etc etc && ln -sfn /etc/passwd leaf && ln -sfn d inner && ln -sfn d/f inner-leaf && ln -sfn / top && ln -sfn ../worker up && ln -sfn /proc/self/root magic && ln -sfn nowhere dangling && chown -R --reference . d`);
    const through = ['etc/passwd', 'leaf', 'inner/f', 'inner-leaf', 'top/etc/passwd', 'up/secret', 'magic/etc/passwd', 'dangling'].map((p) => `/workspace/${p}`);
    const answers = await callTools('laptop', [read('/workspace/d/f'), ...through.flatMap((path) => [read(path), write(path)])]);
    expect(answers[0]).toMatchObject({ isError: false });
    for (const [i, answer] of answers.slice(1).entries()) {
      expect(answer, through[i >> 1]).toMatchObject({ isError: true, data: { error: 'ELOOP' } });
    }
    expect(root(`cat ${WORKSPACES}/laptop/d/f ${WORKSPACES}/worker/secret`)).toBe('inside\nother\n');
    expect(root(`ls ${WORKSPACES}/laptop/nowhere 2>/dev/null || echo none`)).toBe('none\n');
  });

  it('`..` and the kernel\'s own links are refused by their names (A02, A12)', async () => {
    const names = [
      '/workspace/../etc/passwd', '/workspace/d/../../etc/passwd', '/workspace/..', '/proc/self/root/etc/passwd', '/proc/1/root/etc/passwd', '/proc/self/fd/0',
      '/proc/self/cwd/f', '/dev/fd/0', '/dev/stdin', '/workspace/d/./../../etc/passwd',
    ];
    const answers = await callTools('laptop', [read('/workspace/d/f'), ...names.flatMap((path) => [read(path), write(path)])]);
    expect(answers[0]).toMatchObject({ isError: false });
    for (const [i, answer] of answers.slice(1).entries()) {
      expect(answer, names[i >> 1]).toMatchObject({ isError: true });
      expect(answer.text, names[i >> 1]).toMatch(/^Refused|arguments|path/);
    }
  });

  it('a hard link gives nothing: the file\'s own mode refuses, and none can be made across mounts', async () => {
    root(`cd ${WORKSPACES} && echo secret >worker/own && chown --reference worker worker/own && chmod 600 worker/own && ln -f worker/own laptop/hard`);
    const [hard] = await callTools('laptop', [read('/workspace/hard')]);
    expect(hard).toMatchObject({ isError: true, data: { error: 'EACCES' } });
    const link = probed(await run('worker', 'env', '/workspace/probe', 'create', '/workspace/mine', 'link', '/usr/bin/env', 'link', '/proc/self/exe', 'link', '/workspace/mine'));
    expect(link).toEqual({ 'create /workspace/mine': 'ok', 'link /workspace/mine': 'ok', 'link /usr/bin/env': 'EXDEV', 'link /proc/self/exe': 'EXDEV' });
    root(`cd ${WORKSPACES} && rm laptop/hard worker/own worker/mine worker/made-by-link`);
  });

  it('a FIFO, a socket and a device hold nobody up', async () => {
    root(`cd ${WORKSPACES}/laptop && rm -rf odd && mkdir odd && mkfifo odd/fifo && mknod odd/null c 1 3 && python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('odd/socket')" && chmod 666 odd/* && chown -R --reference . odd`);
    const odd = ['fifo', 'null', 'socket'].map((name) => `/workspace/odd/${name}`);
    const answers = await callTools('laptop', [
      ...odd.flatMap((path) => [read(path), write(path), { tool: 'fs.search', args: { path: '/workspace/odd', text: 'x' } }]),
      { tool: 'fs.list', args: { path: '/workspace/odd' } },
    ]);
    expect(answers.at(-1)!.data['entries']).toMatchObject([{ kind: 'fifo' }, { kind: 'character' }, { kind: 'socket' }]);
    for (const [i, path] of odd.entries()) {
      expect(answers[3 * i], path).toMatchObject({ isError: true });
      expect(answers[3 * i + 1], path).toMatchObject({ isError: true });
      for (const answer of answers.slice(3 * i, 3 * i + 3)) expect(answer.data['deadline'], answer.text).toBeUndefined();
    }
  });

  it('a directory of 10 000 entries is listed in part and says so', async () => {
    root(`cd ${WORKSPACES}/laptop && rm -rf many && mkdir many && python3 -c "for i in range(10000): open(f'many/{i:05}', 'w').close()" && chown --reference . many`);
    const [some, most] = await callTools('laptop', [
      { tool: 'fs.list', args: { path: '/workspace/many' } },
      { tool: 'fs.list', args: { path: '/workspace/many', max: 2000 } },
    ]);
    expect(some!.data).toMatchObject({ more: true });
    expect(some!.data['entries']).toHaveLength(500);
    expect(most!.data).toMatchObject({ more: true });
    root(`rm -rf ${WORKSPACES}/laptop/many`);
  });

  it('names with newlines, escapes and odd bytes pose as nothing', async () => {
    root('python3 -', `import os
os.chdir('${WORKSPACES}/laptop'); os.makedirs('names', exist_ok=True); os.chmod('names', 0o755)
for name in [b'a\\nfile\\t0\\tb', b'\\x1b[2Jclear', b'odd-\\xff\\xfe', 'r\\u202etl'.encode(), b'-rf', b'plain']:
    open(b'names/' + name, 'w').close()
`);
    const [listed] = await callTools('laptop', [{ tool: 'fs.list', args: { path: '/workspace/names' } }]);
    expect(listed).toMatchObject({ isError: false });
    const lines = listed!.text.split('\n');
    expect(lines).toHaveLength(7);
    expect(listed!.text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    expect(listed!.text).toContain('odd-\\xff\\xfe');
    expect((listed!.data['entries'] as { name: string }[]).map(({ name }) => name)).toContain('a\nfile\t0\tb');
  });
});
