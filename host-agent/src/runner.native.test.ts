// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildNative } from '../native/build-once.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { pathsUnder } from './effects/paths.ts';
import { connectRunner, type RunnerConnection } from './effects/runner-client.ts';
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

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i += 1) {
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
const callGroups = (): readonly string[] => readdirSync(GROUP).filter((name) => name.startsWith('call-'));

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
  expect(callGroups()).toEqual([]);
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
  expect(callGroups()).toEqual([]);
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
  expect(callGroups()).toEqual([]);
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
  expect(callGroups()).toEqual([]);
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
  expect(performance.now() - before).toBeLessThan(1000);
  expect(alive('mark-theirs')).toBe(true);
  second.close();
  await until('the end of the other call', () => !alive('mark-theirs'));
});

test('kill -9 of the runner ends its calls at once', async () => {
  const permit = permitFor('(setsid sh -c "while :; do sleep 1; done; : mark-orphan" &); while :; do sleep 0.1; done');
  const ran = run(permit, receiptFor(permit));
  await until('the call', () => alive('mark-orphan'));
  await stop('SIGKILL');
  expect(await ran).toBe('connection');
  await until('the end of the call', () => !alive('mark-orphan'));
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
