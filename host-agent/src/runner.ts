// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { prepareParent } from './effects/call-cgroup.ts';
import { launchCall, type Launched } from './effects/call-launcher.ts';
import { imageAccounts } from './effects/account-names.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './effects/json-lines.ts';
import { listenOn } from './effects/listen.ts';
import { logOf, type Log } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { pathsUnder } from './effects/paths.ts';
import { peerOf } from './effects/peer.ts';
import { KEPT_MAX, printRunResult } from './effects/run-wire.ts';
import { openUsedReceipts } from './effects/used-receipts.ts';
import type { Declared, DeclaredAgent } from './config/declared.ts';
import { OWN_LIMITS, parseStrictJson } from './door/strict-json.ts';
import { parseAgentName } from './identity/ids.ts';
import type { JsonObject, JsonValue } from './ledger/entry.ts';
import { parseReceiptKey } from './ledger/receipt.ts';
import { isObject } from './ledger/shape.ts';
import { takeRoot } from './root-option.ts';
import { isBeneath, WORKSPACE } from './sandbox/bindable.ts';
import { checkRun } from './sandbox/check-run.ts';

const CALLS_MAX = 8;
const BWRAP = '/usr/bin/bwrap';

/** Takes recorded permits from holdfastd and carries them out. It decides nothing and opens no file for a call. */
export async function main(args: readonly string[]): Promise<void> {
  const { root, rest } = takeRoot(args);
  const { values } = parseArgs({ args: [...rest], options: { agent: { type: 'string' }, cgroup: { type: 'string' } } });
  const paths = pathsUnder(root);
  const log = logOf('holdfast-runner');
  const agent = ownDeclaration(paths.declaredAgents, values.agent ?? '');
  const cgroupParent = values.cgroup ?? ownParent();
  prepareParent(cgroupParent);
  const used = openUsedReceipts(`${paths.runnerRuntime}/${agent.name}/used`, bootMillis);
  const daemonUid = imageAccounts(root).uidOf('holdfast') ?? process.getuid!();
  const place = { programs: paths.programs, bwrap: BWRAP, label: agent.callLabel, hostOf: hostOf(agent, root) };
  const calls = new Set<() => void>();

  const run: Run = async (request, onStart) => {
    if (calls.size >= CALLS_MAX) return refused('busy', `${CALLS_MAX} calls of this agent are running; wait for one to end`);
    const stdin = bytesOf(request['stdin']);
    if (stdin === undefined) return refused('stdin_digest', 'the input is not base64');
    const facts = { agent: agent.name, receiptKey: receiptKey(paths.receiptKey), boot: bootId(), now: bootMillis() };
    const checked = checkRun({ permit: request['permit'] ?? null, receipt: request['receipt'] ?? null }, stdin, facts);
    if (!checked.ok) return checked;
    const { permit, receipt } = checked;
    if (!used.use(receipt.seq, receipt.notAfter)) return refused('receipt_reused', 'this receipt has been used; every call needs its own');
    const limits = { ...permit.plan.limits, outputMax: Math.min(permit.plan.limits.outputMax, KEPT_MAX) };
    const call = launchCall({ permit: { ...permit, plan: { ...permit.plan, limits } }, stdin, place, cgroupParent });
    calls.add(call.kill);
    const ended = onStart(call.kill);
    try {
      return await call.done;
    } finally {
      calls.delete(call.kill);
      ended();
    }
  };

  const server = await listenOn('runner', `${paths.runnerSockets}/${agent.name}.sock`);
  server.on('connection', (socket) => serve(socket, daemonUid, run, log));
  process.on('SIGTERM', () => {
    server.close();
    for (const kill of calls) kill();
    process.exit(0);
  });
  notifyReady();
}

/** `onStart` is given what ends the call, and gives back what to do when it has ended. */
type Run = (request: JsonObject, onStart: (kill: () => void) => () => void) => Promise<Launched>;

function serve(socket: Socket, daemonUid: number, run: Run, log: Log): void {
  /** Calls of this connection by the id of their request. */
  const running = new Map<number, () => void>();
  socket.on('error', () => socket.destroy());
  const { uid } = peerOf(socket);
  // The agent and its calls have our own uid in the product: it is not enough to be us.
  if (uid !== daemonUid) {
    log.warn({ uid }, 'refused a connection that is not from holdfastd');
    return void socket.destroy();
  }
  // Nobody is left to record how these calls end.
  socket.on('close', () => {
    for (const kill of running.values()) kill();
  });
  const onStart = (id: number) => (kill: () => void) => {
    running.set(id, kill);
    return () => void running.delete(id);
  };
  readJsonLines(socket, {
    maxBytes: MAX_LINE,
    onViolation: (reason) => log.warn({ reason }, 'closed a connection that does not speak the protocol'),
    onValue: (value) => {
      const request = requestOf(value);
      if (request === null || (request.op === 'run' && running.has(request.id))) {
        log.warn({}, 'closed a connection that sent an unknown request');
        return void socket.destroy();
      }
      // One that has ended meanwhile is answered already, or about to be.
      if (request.op === 'cancel') return running.get(request.id)?.();
      void answer(socket, request.id, () => run(request.fields, onStart(request.id)), log);
    },
  });
}

type Request = { readonly id: number; readonly op: 'run' | 'cancel'; readonly fields: JsonObject };

function requestOf(value: JsonValue): Request | null {
  if (!isObject(value)) return null;
  const { id, op } = value;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || (op !== 'run' && op !== 'cancel')) return null;
  return { id, op, fields: value };
}

async function answer(socket: Socket, id: number, run: () => Promise<Launched>, log: Log): Promise<void> {
  let launched: Launched;
  try {
    launched = await run();
  } catch (fault) {
    // Nothing of this call runs: launchCall has not been reached, or has ended all it started.
    log.error({ fault: (fault as Error).message }, 'a call could not be run');
    launched = refused('sandbox', `the runner cannot run calls: ${(fault as Error).message}`);
  }
  if (launched.ok) writeJsonLine(socket, { id, ok: true, result: printRunResult(launched.result) });
  else writeJsonLine(socket, { id, ok: false, error: launched.error, message: launched.message });
}

function ownDeclaration(file: string, name: string): DeclaredAgent {
  const parsed = parseAgentName(name);
  if (!parsed.ok) throw new Error(`cannot start a runner: --agent: ${parsed.error}`);
  const declared = parseStrictJson(readFileSync(file, 'utf8'), OWN_LIMITS);
  if (!declared.ok) throw new Error(`cannot start a runner: ${file}: ${declared.error}`);
  const agent = (declared.value as unknown as Declared).agents.find((a) => a.name === parsed.value);
  if (agent === undefined) throw new Error(`cannot start a runner: ${file} declares no agent ${name}`);
  return agent;
}

/** systemd's DelegateSubgroup=main puts this process beside its calls, into PARENT/main. */
function ownParent(): string {
  const group = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (group === undefined || !group.endsWith('/main')) {
    throw new Error(`cannot start a runner in control group ${group}: it must be a delegated one named main`);
  }
  return `/sys/fs/cgroup${group.slice(0, -'/main'.length)}`;
}

/** Read for each call: a ledger that was started anew may have another key. */
function receiptKey(file: string): Parameters<typeof checkRun>[2]['receiptKey'] {
  const key = parseReceiptKey(readFileSync(file, 'utf8'));
  if (!key.ok) throw new Error(`cannot read ${file}: ${key.error}`);
  return key.value;
}

/** In our unit the agent's workspace is mounted at /workspace. Under a root of its own (tests) there is no such mount. */
function hostOf(agent: DeclaredAgent, root: string): (path: string) => string {
  if (root === '') return (path) => path;
  return (path) => (isBeneath(path, WORKSPACE) ? agent.workspace + path.slice(WORKSPACE.length) : path);
}

/** undefined when it is neither null nor base64. */
function bytesOf(value: JsonValue | undefined): Uint8Array | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? new Uint8Array(bytes) : undefined;
}

function refused(error: 'busy' | 'stdin_digest' | 'receipt_reused' | 'sandbox', message: string): Launched {
  return { ok: false, error, message };
}
