// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildNative } from '../native/build-once.ts';
import { bootMillis } from './effects/clock.ts';
import { connectRunner, type RunnerConnection } from './effects/runner-client.ts';
import type { SecretAnswer } from './egress/egress-wire.ts';
import type { AgentName, CallId } from './identity/ids.ts';
import type { Permit } from './sandbox/permit.ts';
import { secretVariables } from './sandbox/secret-descriptors.ts';
import { agentWithNet } from './testdata/egress-place.ts';
import { asUid, PASSPHRASE, UIDS, useSecretdRole } from './testdata/secretd-role.ts';

// secret:read from the permit to the program's descriptor (R47): the real ledger, holdfast-secretd and runner; holdfastd is this test, which
// has the permit recorded as it would.

const AGENT = 64_996;
const VALUE = 'canary-of-read-0123456789';
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `${UNIFIED}/holdfast-read-${process.pid}`;

const box = useSecretdRole();
let runner: ChildProcess;
let connection: RunnerConnection;
let calls = 0;
const rootOf = (): string => box.paths().units.replace('/run/systemd/system', '');
const limits = { timeoutMs: 20_000, memoryMax: 2 ** 28, tasksMax: 64, outputMax: 65_536 };

beforeEach(async () => {
  const paths = box.paths();
  const workspace = join(paths.workspaces, 'coder');
  for (const dir of [workspace, paths.runnerSockets, join(paths.runnerRuntime, 'coder')]) {
    mkdirSync(dir, { recursive: true });
    chownSync(dir, AGENT, AGENT);
  }
  // The ledger was here first, and lets nobody into what it makes.
  for (let dir = dirname(workspace); dir !== rootOf(); dir = dirname(dir)) chmodSync(dir, 0o755);
  cpSync(buildNative(), paths.programs, { recursive: true });
  const declared = [{ ...agentWithNet('coder', AGENT, null), limits, workspace, callLabel: 'unconfined' }, { ...agentWithNet('other', UIDS.stranger, null), limits }];
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents: declared, problems: [] }), { mode: 0o644 });
  await box.prepared(VALUE);
  mkdirSync(join(GROUP, 'main'), { recursive: true });
  for (const dir of [GROUP, join(GROUP, 'main')]) for (const file of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(join(dir, file), AGENT, AGENT);
  const script = `echo $$ > ${GROUP}/main/cgroup.procs; exec setpriv --reuid ${AGENT} --regid ${AGENT} --clear-groups --bounding-set=-all --no-new-privs "$0" "$@"`;
  runner = spawn('/bin/sh', ['-c', script, process.execPath, join(import.meta.dirname, 'main.ts'), 'holdfast-runner', '--root', rootOf(), '--agent', 'coder', '--cgroup', GROUP], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: '/usr/bin:/bin' } });
  const socket = join(paths.runnerSockets, 'coder.sock');
  for (let n = 0; !existsSync(socket); n += 1) {
    if (n > 500) throw new Error('the runner did not come');
    await sleep(20);
  }
  await sleep(100);
  connection = connectRunner(socket);
});
afterEach(async () => {
  connection.close();
  if (runner.exitCode === null && runner.signalCode === null) {
    runner.kill('SIGTERM');
    await once(runner, 'exit');
  }
  await sleep(200);
  for (const name of readdirSync(GROUP)) if (name.startsWith('call-')) rmdirSync(join(GROUP, name));
  rmdirSync(join(GROUP, 'main'));
  rmdirSync(GROUP);
});

function permit(script: string, secrets: readonly string[] | null, change: Partial<Permit> = {}): Permit {
  calls += 1;
  const env = { PATH: '/usr/bin', ...secretVariables(secrets ?? []) };
  const plan = { kind: 'process', root: 'image', argv: ['sh', '-c', script], cwd: '/workspace', env, bindings: [{ path: '/workspace', access: 'rw', is: 'directory' }], hidden: [], limits, ...(secrets === null ? {} : { secrets }) } as const;
  return { v: 1, call: `c-${calls}` as CallId, agent: 'coder' as AgentName, tool: 'process.run', plan, stdin: null, notAfter: bootMillis() + 20_000, ...change };
}

async function run(one: Permit): Promise<string> {
  const ran = await connection.run(one, await box.receipt(one), null);
  return ran.ok ? `${Buffer.from(ran.value.stdout).toString()}${Buffer.from(ran.value.stderr).toString()}` : ran.error;
}

const READ = 'cat <&"$HOLDFAST_SECRET_FD_A_KEY"';

describe('a call with secret:read', () => {
  test('gets the value by its descriptor, once; on record by name and call; the runner keeps no copy', async () => {
    const one = permit(`${READ}; ${READ}; env; cat /proc/1/cmdline`, ['A_KEY']);
    const out = await run(one);
    expect(out.slice(0, VALUE.length)).toBe(VALUE);
    expect(out.split(VALUE)).toHaveLength(2);
    expect(out).toContain('HOLDFAST_SECRET_FD_A_KEY=5');
    const used = await box.entries('secret.used');
    expect(used.map(({ actor, data }) => [actor, data])).toEqual([[{ type: 'agent', id: 'coder' }, { agent: 'coder', name: 'A_KEY', host: null, port: null, call: one.call, intent: expect.any(Number), tool: 'process.run' }]]);
    expect(JSON.stringify(used)).not.toContain('canary');
    expect(readFileSync(`/proc/${runner.pid}/environ`, 'latin1')).not.toContain('canary');
    // The next call of the agent, in its turn, has nothing of it.
    expect(await run(permit('cat <&5; echo "[$HOLDFAST_SECRET_FD_A_KEY]"', null))).toBe('[]\nsh: 1: 5: Bad file descriptor\n');
  });

  test('of a secret that is not there, not its own, forbidden, or expired: not started, and the same words for the first three', async () => {
    await box.done({ op: 'set', name: 'B_KEY', agents: ['other'], forbid: null, hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null }, 'value-of-b-key-0123');
    await box.done({ op: 'set', name: 'C_KEY', agents: [], forbid: ['coder'], hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null }, 'value-of-c-key-0123');
    const said = await Promise.all(['B_KEY', 'C_KEY', 'Z_KEY'].map(async (name) => (await run(permit('echo started', [name]))).replace(name, 'NAME')));
    expect(new Set(said)).toEqual(new Set(['secret: the secret NAME cannot be read: no secret of this name is bound to this agent']));
    // The control, and that one bad name spoils the call.
    expect(await run(permit(READ, ['A_KEY']))).toBe(VALUE);
    expect(await run(permit(READ, ['A_KEY', 'Z_KEY']))).toContain('cannot be read');
    await box.done({ op: 'lock' });
    expect(await run(permit('echo started', ['A_KEY']))).toMatch(/^secret: the secret A_KEY cannot be read: .*holdfast secret unlock/);
    await box.done({ op: 'unlock' }, PASSPHRASE);
    expect(await run(permit(READ, ['A_KEY']))).toBe(VALUE);
  });
});

describe('a call that is cancelled while it waits for its secret', () => {
  test('is not started, by a cancellation and by the end of the connection', async () => {
    const marks = (): readonly string[] => readdirSync(join(box.paths().workspaces, 'coder'));
    const secretd = box.role();
    for (const end of ['cancel', 'close'] as const) {
      const one = permit('echo > /workspace/mark', ['A_KEY']);
      const receipt = await box.receipt(one);
      const stop = new AbortController();
      secretd.kill('SIGSTOP');
      const ran = connection.run(one, receipt, null, stop.signal);
      await sleep(300);
      if (end === 'cancel') stop.abort();
      else connection.close();
      await sleep(100);
      secretd.kill('SIGCONT');
      expect(await ran).toMatchObject({ ok: false, error: expect.stringContaining(end === 'cancel' ? 'ended before it had its secrets' : 'connection') });
    }
    await sleep(500);
    expect(marks()).toEqual([]);
    // The control.
    connection = connectRunner(join(box.paths().runnerSockets, 'coder.sock'));
    expect(await run(permit('echo > /workspace/mark', ['A_KEY']))).toBe('');
    expect(marks()).toEqual(['mark']);
  });
});

/** What somebody of this uid is told at the socket of calls. */
async function askAt(socketPath: string, uid: number, question: object): Promise<SecretAnswer | 'closed'> {
  const socket = asUid(uid, () => connect(socketPath));
  socket.on('error', () => {});
  socket.write(`${JSON.stringify({ id: 1, ...question })}\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.endsWith('\n')) socket.destroy();
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text === '' ? 'closed' : (JSON.parse(text) as SecretAnswer);
}

describe('holdfast-secretd, asked by a runner', () => {
  const ask = (question: object, uid = AGENT): ReturnType<typeof askAt> => askAt(box.paths().secretCallSocket, uid, { ask: 'read', name: 'A_KEY', ...question });

  test('hands one value for one recorded permit that names it, to the agent\'s own uid', async () => {
    const good = async (change: Partial<Permit> = {}, secrets: readonly string[] | null = ['A_KEY']) => {
      const one = permit('true', secrets, change);
      return { permit: one, receipt: await box.receipt(one) };
    };
    const first = await good();
    expect(await ask(first)).toEqual({ id: 1, ok: true, value: VALUE });
    expect(await ask(first)).toMatchObject({ ok: false, rule: 'receipt', why: expect.stringContaining('has been used') });
    const wide = await good({}, ['A_KEY', 'B_KEY']);
    const cases: [string, object, object][] = [
      ['another name', { ...(await good()), name: 'B_KEY' }, { rule: 'receipt', why: expect.stringContaining('not for a secret of that name') }],
      ['a call without secrets', await good({}, null), { rule: 'receipt', why: expect.stringContaining('not for a secret of that name') }],
      ['another agent\'s call', await good({ agent: 'other' as AgentName }), { rule: 'receipt', why: expect.stringContaining('for agent other') }],
      ['one whose time is over', await good({ notAfter: bootMillis() }), { rule: 'receipt' }],
      ['a permit that was changed', { ...wide, permit: { ...wide.permit, tool: 'x' } }, { rule: 'receipt', why: expect.stringContaining('another permit') }],
      ['a forged receipt', { ...wide, receipt: { ...wide.receipt, signature: `${'A'.repeat(86)}==` } }, { rule: 'receipt', why: expect.stringContaining('did not sign') }],
      ['the permit of a way out', { permit: box.permit(), receipt: await box.receipt(box.permit()) }, { rule: 'receipt' }],
      ['use', { ...wide, ask: 'use' }, { rule: 'receipt' }],
      ['a field too many', { ...wide, more: 1 }, { rule: 'receipt' }],
    ];
    for (const [what, question, answer] of cases) expect(await ask(question), what).toMatchObject({ ok: false, ...answer });
    // Root, operators, holdfast-egress, secretd's own uid and another agent are not its runner.
    for (const uid of [0, UIDS.ops, UIDS.egress, UIDS.secret]) expect(await ask(await good(), uid), String(uid)).toBe('closed');
    expect(await ask(await good(), UIDS.stranger)).toMatchObject({ ok: false, rule: 'receipt', why: expect.stringContaining('for agent coder, ') });
    expect(await ask(wide)).toMatchObject({ ok: true });
    // And a call's permit is worth nothing where holdfast-egress asks.
    expect(await box.egress().ask('A_KEY', (await good()).permit, (await good()).receipt)).toMatchObject({ ok: false, rule: 'receipt' });
    expect(await box.entries('secret.used')).toHaveLength(2);
  });

  test('no record, no value', async () => {
    const [one, two] = [permit('true', ['A_KEY']), permit('true', ['A_KEY'])];
    const receipts = [await box.receipt(one), await box.receipt(two)];
    expect(await ask({ permit: one, receipt: receipts[0] })).toMatchObject({ ok: true });
    await box.ledger.kill('SIGKILL');
    expect(await ask({ permit: two, receipt: receipts[1] })).toMatchObject({ ok: false, rule: 'receipt', why: expect.stringContaining('could not be recorded') });
  });
});
