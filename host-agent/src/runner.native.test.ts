// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildNative } from '../native/build-once.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { pathsUnder } from './effects/paths.ts';
import { connectRunner, type RunnerConnection } from './effects/runner-client.ts';
import { connectShell, type ShellConnection } from './effects/shell-connection.ts';
import type { AgentName, CallId } from './identity/ids.ts';
import { sha256Hex } from './ledger/digest.ts';
import { canonicalJson } from './ledger/encode.ts';
import type { JsonValue } from './ledger/entry.ts';
import { receiptBytes, type Receipt } from './ledger/receipt.ts';
import type { Permit } from './sandbox/permit.ts';

// The real runner as an unprivileged user in a delegated control group, as its unit starts it; receipts by a key of this test.
// Needs root, to become that user.

const AGENT = 30_300;
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `${UNIFIED}/holdfast-runner-${process.pid}`;
const root = mkdtempSync('/tmp/holdfast-runner-');
const paths = pathsUnder(root);
const workspace = join(paths.workspaces, 'demo');
const socketPath = join(paths.runnerSockets, 'demo.sock');
const ledger = generateKeyPairSync('ed25519');

let runner: ChildProcess;
let connection: RunnerConnection;
let seq = 0;

beforeAll(() => {
  if (process.getuid?.() !== 0) throw new Error('this test starts a process as another user: run it as root');
  chmodSync(root, 0o755);
  cpSync(buildNative(), paths.programs, { recursive: true });
  for (const dir of [workspace, paths.runnerSockets, join(paths.runnerRuntime, 'demo'), join(root, 'etc'), join(root, 'run/holdfast/declared'), join(root, 'run/holdfast-ledger')]) mkdirSync(dir, { recursive: true });
  for (const dir of [workspace, paths.runnerSockets, join(paths.runnerRuntime, 'demo')]) chownSync(dir, AGENT, AGENT);
  const limits = { timeoutMs: 60_000, memoryMax: 2 ** 28, tasksMax: 64, outputMax: 65_536 };
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents: [{ name: 'demo', uid: AGENT, limits, workspace, callLabel: 'unconfined' }], problems: [] }));
  writeFileSync(join(root, 'etc/passwd'), 'holdfast:x:0:0::/:/bin/false\n');
  const jwk = ledger.publicKey.export({ format: 'jwk' });
  writeFileSync(paths.receiptKey, `${Buffer.from(jwk.x!, 'base64url').toString('base64')}\n`);
  // What Delegate=yes and DelegateSubgroup=main do.
  mkdirSync(join(GROUP, 'main'), { recursive: true });
  for (const dir of [GROUP, join(GROUP, 'main')]) {
    for (const file of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(join(dir, file), AGENT, AGENT);
  }
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  for (const name of readdirSync(GROUP)) if (name.startsWith('call-')) rmdirSync(join(GROUP, name));
  rmdirSync(join(GROUP, 'main'));
  rmdirSync(GROUP);
});
beforeEach(async () => {
  await start();
  connection = connectRunner(socketPath);
});
afterEach(async () => {
  connection.close();
  await stop('SIGTERM');
});

async function start(): Promise<void> {
  rmSync(socketPath, { force: true });
  const script = `echo $$ > ${GROUP}/main/cgroup.procs; exec setpriv --reuid ${AGENT} --regid ${AGENT} --clear-groups --bounding-set=-all --no-new-privs "$0" "$@"`;
  const args = [process.execPath, join(import.meta.dirname, 'main.ts'), 'holdfast-runner', '--root', root, '--agent', 'demo', '--cgroup', GROUP];
  runner = spawn('/bin/sh', ['-c', script, ...args], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: '/usr/bin:/bin' } });
  // The file is there a moment before the socket listens.
  await until('the runner', async () => existsSync(socketPath) && (await answers()));
}

async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (runner.exitCode === null && runner.signalCode === null) {
    const gone = new Promise((resolve) => runner.once('exit', resolve));
    runner.kill(signal);
    await gone;
  }
}

async function answers(): Promise<boolean> {
  const socket = connect(socketPath);
  return await new Promise<boolean>((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

async function until(what: string, holds: () => boolean | Promise<boolean>, turns = 1000): Promise<void> {
  for (let i = 0; i < turns; i += 1) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`${what} did not come`);
}

function permitFor(script: string, change: Partial<Permit> = {}, ms = 20_000): Permit {
  seq += 1;
  return {
    v: 1,
    call: `call-${seq}` as CallId,
    agent: 'demo' as AgentName,
    tool: 'process.run',
    plan: {
      kind: 'process',
      argv: ['sh', '-c', script],
      cwd: '/workspace',
      env: { PATH: '/usr/bin' },
      bindings: [{ path: '/workspace', access: 'rw', is: 'directory' }],
      hidden: [],
      root: 'image',
      limits: { timeoutMs: ms, memoryMax: 2 ** 28, tasksMax: 64, outputMax: 65_536 },
    },
    stdin: null,
    notAfter: bootMillis() + ms,
    ...change,
  };
}

function receiptFor(permit: Permit, change: Partial<Receipt> = {}, key = ledger.privateKey): Receipt {
  const digest = sha256Hex(canonicalJson(permit as unknown as JsonValue));
  const body = { boot: bootId(), seq, permit: digest, agent: permit.agent, notAfter: permit.notAfter, ...change };
  return { ...body, signature: change.signature ?? sign(null, receiptBytes(body), key).toString('base64') };
}

async function run(permit: Permit, receipt: Receipt, stdin: string | null = null): Promise<string> {
  const ran = await connection.run(permit, receipt, stdin === null ? null : Buffer.from(stdin));
  if (!ran.ok) return ran.error.split(':')[0]!;
  return `${JSON.stringify(ran.value.exit)} ${Buffer.from(ran.value.stdout).toString()}${Buffer.from(ran.value.stderr).toString()}`.trim();
}

const marks = (): readonly string[] => readdirSync(workspace).sort();
/** All that is there of calls but the sandboxes that wait for the next: their only process is call-launch. */
const callGroups = (): readonly string[] => readdirSync(GROUP).filter((name) => name.startsWith('call-') && !waits(`${GROUP}/${name}`));

function waits(group: string): boolean {
  try {
    const pids = readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter((line) => line !== '');
    return pids.length === 1 && readFileSync(`/proc/${pids[0]}/comm`, 'utf8') === 'call-launch\n';
  } catch {
    return false;
  }
}

function alive(word: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return /^\d+$/.test(pid) && line.startsWith('sh\0') && line.includes(word);
    } catch {
      return false;
    }
  });
}

test('a recorded call runs as the agent, in its sandbox, and leaves no control group', async () => {
  const permit = permitFor('id -u; cat; echo > /workspace/mark', { stdin: { digest: sha256Hex(Buffer.from('in')), size: 2 } });
  const ran = await connection.run(permit, receiptFor(permit), Buffer.from('in'));
  expect(ran.ok || ran.error).toBe(true);
  expect(ran).toMatchObject({ ok: true, value: { exit: { code: 0 }, deadline: false, label: 'unconfined', observed: { by: 'cgroup' } } });
  expect(ran.ok && Buffer.from(ran.value.stdout).toString()).toBe(`${AGENT}\nin`);
  expect(marks()).toEqual(['mark']);
  rmSync(join(workspace, 'mark'));
  await until('the end of every control group', () => callGroups().length === 0);
});

test('a call that is cancelled ends at once with all its processes; the other one goes on', async () => {
  const stop = new AbortController();
  const control = permitFor('sleep 0.6; echo done');
  const other = run(control, receiptFor(control));
  const permit = permitFor("echo > /workspace/started; trap '' TERM; (trap '' TERM; setsid sleep 4711) & sleep 4711");
  const began = Date.now();
  const cancelled = connection.run(permit, receiptFor(permit), null, stop.signal);
  await until('the call', () => marks().includes('started'));
  stop.abort();
  expect(await cancelled).toMatchObject({ ok: true, value: { exit: { signal: 'SIGKILL' }, deadline: false, observed: { by: 'cgroup' } } });
  expect(Date.now() - began).toBeLessThan(5_000);
  expect(alive('4711')).toBe(false);
  expect(await other).toBe('{"code":0} done');
  await until('the end of every control group', () => callGroups().length === 0);
  rmSync(join(workspace, 'started'));
});

test('a cancellation that comes with the call, or after it, does no harm', async () => {
  const early = AbortSignal.abort();
  for (let i = 0; i < 5; i += 1) {
    const permit = permitFor('sleep 4712');
    // Killed before or after its sandbox stood: ended either way, and soon.
    const ran = await connection.run(permit, receiptFor(permit), null, early);
    expect(ran.ok ? ran.value.exit : ran.error).toSatisfy((end) => typeof end === 'string' || end.signal === 'SIGKILL');
  }
  expect(alive('4712')).toBe(false);
  const late = new AbortController();
  const permit = permitFor('echo done');
  expect(await connection.run(permit, receiptFor(permit), null, late.signal)).toMatchObject({ ok: true, value: { exit: { code: 0 } } });
  late.abort();
  // Told of a call that it does not know, the runner goes on.
  const socket = connect(socketPath);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('{"id":1,"op":"cancel"}\n');
  const after = permitFor('echo done');
  expect(await run(after, receiptFor(after))).toBe('{"code":0} done');
  expect(socket.destroyed).toBe(false);
  socket.destroy();
  await until('the end of every control group', () => callGroups().length === 0);
});

test('each receipt that is not right for this call is refused by its name, and nothing happens', async () => {
  const script = 'echo > /workspace/mark';
  const other = generateKeyPairSync('ed25519').privateKey;
  const stdin = { digest: sha256Hex(Buffer.from('in')), size: 2 };
  const cases: readonly (readonly [string, () => Promise<string>])[] = [
    ['receipt_signature', () => { const p = permitFor(script); return run(p, receiptFor(p, {}, other)); }],
    ['receipt_signature', () => { const p = permitFor(script); return run(p, { ...receiptFor(p), seq: seq + 1000 }); }],
    ['receipt_boot', () => { const p = permitFor(script); return run(p, receiptFor(p, { boot: '00000000-0000-0000-0000-000000000000' })); }],
    ['receipt_agent', () => { const p = permitFor(script, { agent: 'other' as AgentName }); return run(p, receiptFor(p)); }],
    ['receipt_agent', () => { const p = permitFor(script); return run(p, receiptFor(p, { agent: 'other' as AgentName })); }],
    ['receipt_late', () => { const p = permitFor(script, { notAfter: bootMillis() - 1 }); return run(p, receiptFor(p)); }],
    ['receipt_permit', () => { const p = permitFor(script); return run({ ...p, plan: { ...p.plan, argv: ['sh', '-c', 'echo > /workspace/other'] } }, receiptFor(p)); }],
    ['receipt_permit', () => { const p = permitFor(script); return run({ ...p, notAfter: p.notAfter + 1 }, receiptFor(p)); }],
    ['stdin_digest', () => { const p = permitFor(script, { stdin }); return run(p, receiptFor(p), 'on'); }],
    ['stdin_digest', () => { const p = permitFor(script, { stdin }); return run(p, receiptFor(p), null); }],
  ];
  // Control: the same call with its own receipt.
  const good = permitFor(script);
  expect(await run(good, receiptFor(good))).toBe('{"code":0}');
  expect(marks()).toEqual(['mark']);
  rmSync(join(workspace, 'mark'));
  for (const [code, attempt] of cases) expect(await attempt()).toBe(code);
  expect(marks()).toEqual([]);
  await until('the end of every control group', () => callGroups().length === 0);
});

test('a container is nothing for the runner of calls, whatever receipt comes with it', async () => {
  const call = permitFor('echo > /workspace/mark');
  const permit: Permit = { ...call, tool: 'container.run', plan: { ...call.plan, kind: 'container', container: { name: 'a', image: 'tools' } } };
  expect(await run(permit, receiptFor(permit))).toBe('sandbox');
  expect(marks()).toEqual([]);
  const good = permitFor('true');
  expect(await run(good, receiptFor(good))).toBe('{"code":0}');
});

test('a receipt is used once, over other connections and after a kill of the runner too', async () => {
  const permit = permitFor('echo >> /workspace/count');
  const receipt = receiptFor(permit);
  expect(await run(permit, receipt)).toBe('{"code":0}');
  expect(await run(permit, receipt)).toBe('receipt_reused');
  // Another permit cannot ride on the same number either.
  const second = permitFor('echo >> /workspace/count');
  expect(await run(second, receiptFor(second, { seq: receipt.seq }))).toBe('receipt_reused');
  await stop('SIGKILL');
  await start();
  connection = connectRunner(socketPath);
  expect(await run(permit, receipt)).toBe('receipt_reused');
  const fresh = permitFor('true');
  expect(await run(fresh, receiptFor(fresh))).toBe('{"code":0}');
  expect(readFileSync(join(workspace, 'count'), 'utf8')).toBe('\n');
  rmSync(join(workspace, 'count'));
});

test('a runner that cannot know which receipts were used serves, and says so to each call', async () => {
  const list = join(paths.runnerRuntime, 'demo/used');
  await stop('SIGTERM');
  renameSync(list, `${list}.kept`);
  // Opening it would wait for a writer for ever.
  spawnSync('mkfifo', [list]);
  await start();
  connection = connectRunner(socketPath);
  const permit = permitFor('echo > /workspace/mark');
  const why = /^sandbox: the runner cannot run calls: which receipts were used is not known, .*\/used cannot be read: it is no regular file; a reboot clears it$/;
  expect(await connection.run(permit, receiptFor(permit), null)).toEqual({ ok: false, error: expect.stringMatching(why) });
  expect(await connection.run(permit, receiptFor(permit), null)).toEqual({ ok: false, error: expect.stringMatching(why) });
  expect(marks()).toEqual([]);
  await stop('SIGTERM');
  renameSync(`${list}.kept`, list);
  await start();
  connection = connectRunner(socketPath);
  expect(await run(permit, receiptFor(permit))).toBe('{"code":0}');
  rmSync(join(workspace, 'mark'));
});

test('a refused receipt is not used up by the attempt', async () => {
  const permit = permitFor('true');
  const receipt = receiptFor(permit);
  expect(await run({ ...permit, tool: 'x' }, receipt)).toBe('receipt_permit');
  expect(await run(permit, receipt)).toBe('{"code":0}');
});

test('at not-after the call is removed', async () => {
  const permit = permitFor('trap "" TERM; (setsid sh -c "trap \\"\\" TERM; while :; do sleep 1; done; : mark-deadline" &); sleep 1000', {}, 800);
  const ran = await connection.run(permit, receiptFor(permit), null);
  expect(ran).toMatchObject({ ok: true, value: { deadline: true, exit: { signal: 'SIGKILL' } } });
  expect(alive('mark-deadline')).toBe(false);
});

test('eight calls run at once and a ninth is told to wait', async () => {
  const running = Array.from({ length: 8 }, () => {
    const permit = permitFor(`touch /workspace/up-${seq}; while [ ! -e /workspace/go ]; do sleep 0.05; done`);
    return run(permit, receiptFor(permit));
  });
  await until('eight calls', () => marks().length === 8);
  const ninth = permitFor('true');
  expect(await run(ninth, receiptFor(ninth))).toBe('busy');
  writeFileSync(join(workspace, 'go'), '');
  expect(await Promise.all(running)).toEqual(Array(8).fill('{"code":0}'));
  // Its receipt was not spent by the refusal.
  expect(await run(ninth, receiptFor(ninth))).toBe('{"code":0}');
  for (const name of marks()) rmSync(join(workspace, name));
});

test('the end of the connection ends its calls at once, and no others', async () => {
  const second = connectRunner(socketPath);
  const mine = permitFor('while :; do sleep 0.1; done; : mark-mine');
  const mineRan = run(mine, receiptFor(mine));
  const theirs = permitFor('while :; do sleep 0.1; done; : mark-theirs');
  void second.run(theirs, receiptFor(theirs), null);
  await until('both calls', () => alive('mark-mine') && alive('mark-theirs'));
  const before = performance.now();
  connection.close();
  expect(await mineRan).toBe('connection');
  await until('the end of the call', () => !alive('mark-mine'));
  expect(performance.now() - before).toBeLessThan(5_000);
  expect(alive('mark-theirs')).toBe(true);
  second.close();
  await until('the end of the other call', () => !alive('mark-theirs'));
});

test('kill -9 of the runner ends its calls at once', async () => {
  const permit = permitFor('(setsid sh -c "while :; do sleep 1; done; : mark-orphan" &); while :; do sleep 0.1; done');
  const ran = run(permit, receiptFor(permit));
  await until('the call', () => alive('mark-orphan'));
  // The runner builds the next sandbox while this one is in use.
  await until('a sandbox that waits', () => readdirSync(GROUP).some((name) => name.startsWith('call-') && waits(`${GROUP}/${name}`)));
  await stop('SIGKILL');
  expect(await ran).toBe('connection');
  await until('the end of the call', () => !alive('mark-orphan'));
  // Nor is anything left of the sandbox that waited for the next call.
  const waiting = (): boolean => readdirSync(GROUP).some((name) => name.startsWith('call-') && readFileSync(`${GROUP}/${name}/cgroup.procs`, 'utf8') !== '');
  await until('the end of what was kept ready', () => !waiting());
});

test('who is not holdfastd is not heard, even with the runner\'s own user', async () => {
  const permit = permitFor('echo > /workspace/mark');
  const request = `${JSON.stringify({ id: 1, op: 'run', permit, receipt: receiptFor(permit), stdin: null })}\n`;
  const script = '$SIG{PIPE} = "IGNORE"; use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un($ARGV[0])) or die "no connect"; syswrite(S, $ARGV[1]); sysread(S, $b, 9999); print "got:$b"';
  const asked = spawnSync('setpriv', ['--reuid', String(AGENT), '--regid', String(AGENT), '--clear-groups', 'perl', '-e', script, socketPath, request], { encoding: 'utf8', timeout: 5000 });
  expect(asked.stdout).toBe('got:');
  expect(marks()).toEqual([]);
  // Control: the very same request from holdfastd's user.
  expect(await run(permit, receiptFor(permit))).toBe('{"code":0}');
  rmSync(join(workspace, 'mark'));
});

test('what is not the protocol ends that connection and nothing else', async () => {
  for (const line of ['{', '[]', '{"id":"1","op":"run"}', '{"id":1,"op":"exec"}', '{"id":1e999,"op":"run"}']) {
    const socket = connect(socketPath);
    socket.on('error', () => undefined);
    socket.write(`${line}\n`);
    await new Promise((resolve) => socket.on('close', resolve).resume());
  }
  const permit = permitFor('true');
  expect(await run(permit, receiptFor(permit))).toBe('{"code":0}');
});

describe('a call with a terminal', () => {
  type Open = ShellConnection & { readonly shown: () => string; readonly sees: (what: RegExp | string, turns?: number) => Promise<void> };
  const enter = (shell: Open, line: string): boolean => shell.type(Buffer.from(line));

  function open(argv: readonly string[], change: Partial<Permit['plan']> = {}, ms = 20_000): Open {
    const like = permitFor('', {}, ms);
    const env = { PATH: '/usr/bin', TERM: 'xterm', PS1: 'ready> ', PS2: '' };
    const permit = { ...like, plan: { ...like.plan, argv, env, terminal: { columns: 97, rows: 31 }, ...change } };
    let text = '';
    const shell = connectShell(socketPath, permit, receiptFor(permit), (bytes) => (text += Buffer.from(bytes).toString('latin1')));
    const sees = (what: RegExp | string, turns?: number): Promise<void> =>
      until(String(what), () => (typeof what === 'string' ? text.includes(what) : what.test(text)), turns).catch((fault: Error) => {
        throw new Error(`${fault.message}: ${text.length} bytes, ${JSON.stringify(text.slice(-300))}`);
      });
    return { ...shell, shown: () => text, sees };
  }

  test('has one of its own as its controlling terminal, of the size that was asked, and ends as its program does', async () => {
    const shell = open(['bash', '--norc', '-i']);
    await shell.sees('ready> ');
    enter(shell, 'test -t 0 -a -t 1 -a -t 2 && tty; stty size; echo tty-$(: </dev/tty && echo own); ps -o sid=,tpgid=,tty= $$; exit 7\n');
    expect(await shell.ended).toMatchObject({ ok: true, value: { exit: { code: 7 }, deadline: false, observed: { by: 'cgroup' } } });
    expect(shell.shown()).toMatch(/\/dev\/pts\/0\r\n31 97\r\ntty-own\r\n +\d+ +\d+ pts\/0\r\nexit\r\n$/);
    const own = open(['sh', '-c', '(: </dev/tty) && echo own']);
    expect(await own.ended).toMatchObject({ ok: true, value: { exit: { code: 0 } } });
    // Control: without a terminal the same program is told so.
    const plain = permitFor('test -t 0 || test -t 1 || test -t 2 || echo none; (: </dev/tty) 2>/dev/null || echo nor /dev/tty');
    expect(await run(plain, receiptFor(plain))).toBe('{"code":0} none\nnor /dev/tty');
  });

  test('Ctrl-C ends what runs and not the shell; jobs are stopped and go on', async () => {
    const shell = open(['bash', '--norc', '-i']);
    await shell.sees('ready> ');
    enter(shell, 'sleep 1000\n');
    await until('sleep', () => psHas('sleep\x001000'));
    enter(shell, '\x03');
    await until('its end', () => !psHas('sleep\x001000'));
    enter(shell, 'sleep 1001\n');
    await until('sleep', () => psHas('sleep\x001001'));
    enter(shell, '\x1a');
    await shell.sees('Stopped');
    enter(shell, 'bg; jobs -r | grep -c 1001; kill %1; wait; echo over $?\n');
    await shell.sees(/\r\n1\r\n[^]*over \d+\r\n/);
    enter(shell, 'exit 0\n');
    expect(await shell.ended).toMatchObject({ ok: true, value: { exit: { code: 0 } } });
  });

  test('what it says last is heard, and what it does not read is refused after a while', async () => {
    const shell = open(['sh', '-c', 'stty raw -echo; echo up; read -r line; for i in $(seq 1 2000); do echo "$line $i"; done']);
    await shell.sees('up');
    enter(shell, 'x\n');
    expect(await shell.ended).toMatchObject({ ok: true, value: { exit: { code: 0 } } });
    expect(shell.shown()).toMatch(/x 2000\s*$/);
    const deaf = open(['sh', '-c', 'stty raw -echo; echo up; sleep 1000']);
    await deaf.sees('up');
    const part = 'y'.repeat(16 * 1024);
    let fitted = 0;
    while (fitted < 100 && enter(deaf, part)) fitted += 1;
    expect(fitted).toBeGreaterThanOrEqual(4);
    expect(fitted).toBeLessThan(20);
    deaf.kill();
    expect(await deaf.ended).toMatchObject({ ok: true, value: { exit: { signal: 'SIGKILL' } } });
  });

  test('a flood waits for who reads it, and Ctrl-C stops it', async () => {
    const shell = open(['sh', '-i'], {}, 60_000);
    await shell.sees('ready> ');
    enter(shell, 'yes\n');
    await until('more than the burst', () => shell.shown().length > 512 * 1024);
    const [before, began] = [shell.shown().length, performance.now()];
    await sleep(1_500);
    const perSecond = (shell.shown().length - before) / ((performance.now() - began) / 1000);
    expect(perSecond).toBeLessThan(256 * 1024);
    expect(perSecond).toBeGreaterThan(8 * 1024);
    // The other calls of the agent are served meanwhile.
    const other = permitFor('echo served');
    expect(await run(other, receiptFor(other))).toBe('{"code":0} served');
    enter(shell, '\x03');
    enter(shell, 'echo a"fter"\n');
    // What was on its way still comes, at its rate.
    await shell.sees(/(?:\n|ready> )after\r\n/, 4000);
    shell.kill();
    await shell.ended;
  });

  test('hanging up is told to its programs, and ends also those that do not care', async () => {
    const kind = open(['bash', '--norc', '-c', "trap 'echo gone >/workspace/mark; exit 3' HUP; echo up; while :; do sleep 0.1; done"]);
    await kind.sees('up');
    kind.hangUp();
    expect(await kind.ended).toMatchObject({ ok: true, value: { exit: { code: 3 } } });
    expect(marks()).toEqual(['mark']);
    rmSync(join(workspace, 'mark'));
    const stubborn = open(['sh', '-c', "trap '' HUP TERM; (trap '' HUP TERM; setsid sleep 4721) & echo up; while :; do sleep 0.1; done"]);
    await stubborn.sees('up');
    stubborn.hangUp();
    expect(await stubborn.ended).toMatchObject({ ok: true, value: { exit: { signal: 'SIGKILL' }, deadline: false } });
    expect(psHas('sleep\x004721')).toBe(false);
  });

  test('ends at not-after, and with the runner', async () => {
    const late = open(['sh', '-c', 'echo up; while :; do sleep 0.1; done; : mark-late'], {}, 1_500);
    await late.sees('up');
    expect(await late.ended).toMatchObject({ ok: true, value: { deadline: true, exit: { signal: 'SIGKILL' } } });
    const held = open(['sh', '-c', 'echo up; while :; do sleep 0.1; done; : mark-held']);
    await held.sees('up');
    runner.kill('SIGSTOP');
    held.kill();
    // Nobody waits for a runner that hangs; what it should have ended ends when it sees that the connection has.
    expect(await held.ended).toMatchObject({ ok: false, error: expect.stringMatching(/did not end what it was told to kill$/) });
    runner.kill('SIGCONT');
    await until('its end', () => !alive('mark-held'));
    const orphan = open(['sh', '-c', 'echo up; while :; do sleep 0.1; done; : mark-orphan']);
    await orphan.sees('up');
    expect(alive('mark-orphan')).toBe(true);
    await stop('SIGKILL');
    expect(await orphan.ended).toMatchObject({ ok: false, error: expect.stringMatching(/^connection:/) });
    await until('its end', () => !alive('mark-orphan'));
  });

  test('no terminal of the machine is within reach, and one call cannot use up everybody\'s', async () => {
    const script = 'ls /dev /dev/pts | tr "\\n" " "; for i in $(seq 70); do exec {fd}<>/dev/ptmx || break; done 2>/dev/null; ls /dev/pts | wc -l';
    const shell = open(['bash', '--norc', '-c', script]);
    expect(await shell.ended).toMatchObject({ ok: true });
    expect(shell.shown()).toMatch(/fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\s+\/dev\/pts: 0 ptmx/);
    expect(shell.shown()).toMatch(/\b6[0-5]\r\n$/);
  });

  test.each([
    ['a plan of a file call', { kind: 'file' as const, argv: ['file-tool', '/workspace', 'read', 'x'] }],
    ['a terminal without a size', { terminal: { columns: 0, rows: 24 } }],
    ['one that is too large', { terminal: { columns: 80, rows: 1001 } }],
  ])('%s is refused', async (_, change) => {
    expect(await open(['true'], change).ended).toMatchObject({ ok: false, error: expect.stringMatching(/^receipt_permit: cannot read the plan/) });
  });
});

function psHas(words: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${words}\0`;
    } catch {
      return false;
    }
  });
}
