// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { prepareParent } from './effects/call-cgroup.ts';
import { launchCall, type Launched, type RunningCall } from './effects/call-launcher.ts';
import { openContainers, type Ask, type ContainerView } from './effects/containers.ts';
import type { Taker } from './effects/capped-output.ts';
import { imageAccounts } from './effects/account-names.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './effects/json-lines.ts';
import { listenOn } from './effects/listen.ts';
import { logOf, type Log } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { pathsUnder, type Paths } from './effects/paths.ts';
import { peerOf } from './effects/peer.ts';
import { KEPT_MAX, printContainer, printRunResult } from './effects/run-wire.ts';
import { openSandboxes } from './effects/sandboxes.ts';
import { secretAsker } from './effects/secret-values.ts';
import { parseKeys, shownLine } from './effects/shell-wire.ts';
import { openUsedReceipts } from './effects/used-receipts.ts';
import type { Declared, DeclaredAgent } from './config/declared.ts';
import { OWN_LIMITS, parseStrictJson } from './door/strict-json.ts';
import { parseAgentName } from './identity/ids.ts';
import { accept, refuse, type Result } from './identity/result.ts';
import type { JsonObject, JsonValue } from './ledger/entry.ts';
import { parseReceiptKey } from './ledger/receipt.ts';
import { isObject } from './ledger/shape.ts';
import { takeRoot } from './root-option.ts';
import { IMAGES, isBeneath, RESTORE, TRANSFER, WORKSPACE } from './sandbox/bindable.ts';
import { checkRun, type Recorded } from './sandbox/check-run.ts';
import { wipe } from './secret/values.ts';

const CALLS_MAX = 8;

/** Takes recorded permits from holdfastd and carries them out. It decides nothing and opens no file for a call. */
export async function main(args: readonly string[]): Promise<void> {
  const { root, rest } = takeRoot(args);
  const { values } = parseArgs({ args: [...rest], options: { agent: { type: 'string' }, cgroup: { type: 'string' }, containers: { type: 'boolean' } } });
  const paths = pathsUnder(root);
  const log = logOf('holdfast-runner');
  const agent = ownDeclaration(paths.declaredAgents, values.agent ?? '');
  const cgroupParent = values.cgroup ?? ownParent();
  prepareParent(cgroupParent);
  // Podman needs more of its unit than a call's launcher, so the agent's containers have a runner of their own, and each takes only its kind.
  const own = `${values.containers === true ? paths.containersRuntime : paths.runnerRuntime}/${agent.name}`;
  const daemonUid = imageAccounts(root).uidOf('holdfast') ?? process.getuid!();
  // A folder of ours: no capability names it (sandbox/bindable.ts).
  const stage = `${own}/stage`;
  const place = { programs: paths.programs, stage, label: agent.callLabel, hostOf: hostOf(agent, paths, root) };
  const sandboxes = openSandboxes(cgroupParent, true);
  const calls = new Set<() => void>();
  /** Calls that wait for their secrets. */
  let waiting = 0;
  const containerLabel = values.containers === true ? agent.containerLabel : null;
  if (values.containers === true && containerLabel === null) throw new Error(`cannot start: agents of type ${agent.type} can hold no containers`);
  const prepared = prepare(() => {
    const used = openUsedReceipts(`${own}/used`, bootMillis);
    mkdirSync(stage, { recursive: true });
    const containers = containerLabel === null ? null :
      openContainers({ programs: paths.programs, label: containerLabel, uid: agent.uid, states: `${own}/containers`, images: paths.imagesHere, cgroupParent });
    return { used, containers };
  });
  if (!prepared.ok) log.error({ why: prepared.error }, 'no call will be run');
  const secretOf = secretAsker(paths.secretCallSocket, 'read');
  /** In the order of the plan. The launcher wipes them. */
  const secretsOf = async (recorded: Recorded): Promise<Result<readonly Buffer[]>> => {
    const values: Buffer[] = [];
    for (const name of recorded.permit.plan.secrets ?? []) {
      const answer = await secretOf(name, recorded);
      if (answer.ok) values.push(answer.value);
      else {
        wipe(...values);
        return refuse(`the secret ${name} cannot be read: ${answer.why}`);
      }
    }
    return accept(values);
  };
  const startCall = ({ permit, stdin, secrets }: Ask & { readonly secrets: readonly Buffer[] }, onShown: Taker): Result<RunningCall> => {
    if (permit.plan.kind === 'container') return refuse('this runner runs no containers');
    return accept(launchCall({ permit, stdin, secrets, place, sandboxes, ...(permit.plan.terminal === undefined ? {} : { onShown }) }));
  };

  const run: Run = async (request, onStart, onShown, withdrawn) => {
    if (!prepared.ok) throw new Error(prepared.error);
    const { used, containers } = prepared.value;
    if (calls.size + waiting >= CALLS_MAX) return refused('busy', `${CALLS_MAX} calls of this agent are running; wait for one to end`);
    const stdin = bytesOf(request['stdin']);
    if (stdin === undefined) return refused('stdin_digest', 'the input is not base64');
    const facts = { agent: agent.name, receiptKey: receiptKey(paths.receiptKey), boot: bootId(), now: bootMillis() };
    const checked = checkRun({ permit: request['permit'] ?? null, receipt: request['receipt'] ?? null }, stdin, facts);
    if (!checked.ok) return checked;
    const { permit, receipt } = checked;
    if (!used.use(receipt.seq, receipt.notAfter)) return refused('receipt_reused', 'this receipt has been used; every call needs its own');
    const limits = { ...permit.plan.limits, outputMax: Math.min(permit.plan.limits.outputMax, KEPT_MAX) };
    let secrets: readonly Buffer[] = [];
    // Whatever has none starts at once: a cancellation in the next line finds it.
    if (permit.plan.secrets !== undefined) {
      waiting += 1;
      const values = await secretsOf(checked).finally(() => (waiting -= 1));
      if (!values.ok) return refused('secret', values.error);
      secrets = values.value;
      if (withdrawn()) {
        wipe(...secrets);
        return refused('secret', 'it was ended before it had its secrets');
      }
    }
    const launch = { permit: { ...permit, plan: { ...permit.plan, limits } }, stdin, secrets };
    const started = containers === null ? startCall(launch, onShown) : containers.launch(launch);
    if (!started.ok) return refused('sandbox', started.error);
    const call = started.value;
    calls.add(call.kill);
    const ended = onStart(call);
    try {
      return await call.done;
    } finally {
      calls.delete(call.kill);
      ended();
    }
  };

  const act: Acts['act'] = async (name, what) => (prepared.ok ? (prepared.value.containers?.act(name, what) ?? null) : null);
  const server = await listenOn('runner', `${paths.runnerSockets}/${agent.name}${values.containers === true ? '.containers' : ''}.sock`);
  server.on('connection', (socket) => serve(socket, daemonUid, { run, act }, log));
  process.on('SIGTERM', () => {
    server.close();
    for (const kill of calls) kill();
    sandboxes.close();
    process.exit(0);
  });
  notifyReady();
}

/**
 * The runner's own folder is its agent's uid's, and outlives it: what lies there may be of the agent's making. A runner that ended at that
 * would be started anew five times a second, and its calls would never learn why.
 */
function prepare<T>(what: () => T): Result<T> {
  try {
    return accept(what());
  } catch (fault) {
    return refuse((fault as Error).message);
  }
}

/** `onStart` is given the call, and gives back what to do when it has ended. `withdrawn`: nobody wants it any more. */
type Run = (request: JsonObject, onStart: (call: RunningCall) => () => void, onShown: Taker, withdrawn: () => boolean) => Promise<Launched>;
type Acts = { readonly run: Run; readonly act: (name: string, what: 'logs' | 'stop') => Promise<ContainerView | null> };

function serve(socket: Socket, daemonUid: number, { run, act }: Acts, log: Log): void {
  /** Calls of this connection by the id of their request. */
  const running = new Map<number, RunningCall>();
  /** Requests that are not answered yet, and whether they were cancelled. */
  const asked = new Map<number, { cancelled: boolean }>();
  socket.on('error', () => socket.destroy());
  const { uid } = peerOf(socket);
  // The agent and its calls have our own uid in the product: it is not enough to be us.
  if (uid !== daemonUid) {
    log.warn({ uid }, 'refused a connection that is not from holdfastd');
    return void socket.destroy();
  }
  // Nobody is left to record how these calls end.
  socket.on('close', () => {
    for (const call of running.values()) call.kill();
  });
  const onStart = (id: number) => (call: RunningCall) => {
    running.set(id, call);
    return () => void running.delete(id);
  };
  // Who does not read holds up the program that shows, and not this process's memory.
  const onShown = (id: number) => (chunk: Buffer) => {
    writeJsonLine(socket, shownLine(id, chunk));
    return socket.writableNeedDrain ? new Promise<void>((resolve) => void socket.once('drain', resolve)) : null;
  };
  const onKeys = (id: number, fields: JsonObject): boolean => {
    const keys = parseKeys(fields);
    if (keys !== null) running.get(id)?.type(keys, () => void writeJsonLine(socket, { id, taken: keys.length }));
    return keys !== null;
  };
  readJsonLines(socket, {
    maxBytes: MAX_LINE,
    onViolation: (reason) => log.warn({ reason }, 'closed a connection that does not speak the protocol'),
    onValue: (value) => {
      const request = requestOf(value);
      const again = request !== null && (request.op === 'run' || request.op === 'container') && asked.has(request.id);
      if (request === null || again || (request.op === 'keys' && !onKeys(request.id, request.fields))) {
        log.warn({}, 'closed a connection that sent an unknown request');
        return void socket.destroy();
      }
      // One that has ended meanwhile is answered already, or about to be.
      if (request.op === 'cancel' || request.op === 'hang-up') {
        const one = asked.get(request.id);
        if (one !== undefined) one.cancelled = true;
        return request.op === 'cancel' ? running.get(request.id)?.kill() : running.get(request.id)?.hangUp();
      }
      if (request.op === 'container') return void answerContainer(socket, request, act);
      if (request.op !== 'run') return;
      const one = { cancelled: false };
      asked.set(request.id, one);
      void answer(socket, request.id, () => run(request.fields, onStart(request.id), onShown(request.id), () => one.cancelled || socket.destroyed), log).finally(() => asked.delete(request.id));
    },
  });
}

const OPS = ['run', 'cancel', 'keys', 'hang-up', 'container'] as const;
type Request = { readonly id: number; readonly op: (typeof OPS)[number]; readonly fields: JsonObject };

function requestOf(value: JsonValue): Request | null {
  if (!isObject(value)) return null;
  const { id } = value;
  const op = OPS.find((known) => known === value['op']);
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || op === undefined) return null;
  return { id, op, fields: value };
}

async function answerContainer(socket: Socket, { id, fields }: Request, act: Acts['act']): Promise<void> {
  const { name, act: what } = fields;
  const view = typeof name === 'string' && (what === 'logs' || what === 'stop') ? await act(name, what) : null;
  if (view !== null) writeJsonLine(socket, { id, ok: true, container: printContainer(view) });
  else writeJsonLine(socket, { id, ok: false, error: 'container', message: `no container of that name runs, or has ended a short while ago` });
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

/**
 * In our unit the agent's workspace is mounted at /workspace. Under a root of its own (tests) there is no such mount. Restore points,
 * transfers and images in the making have another name within a call than outside: the profile of calls knows only that one, so that a
 * call which has got out of its mounts finds them forbidden.
 */
function hostOf(agent: DeclaredAgent, paths: Paths, root: string): (path: string) => string {
  const own = [[RESTORE, `${paths.restorePoints}/${agent.name}`], [TRANSFER, `${paths.transfers}/${agent.name}`], [IMAGES, `${paths.images}/${agent.name}/new`]];
  const places = [...own, ...(root === '' ? [] : [[WORKSPACE, agent.workspace]])] as const;
  return (path) => {
    const place = places.find(([inside]) => isBeneath(path, inside!));
    return place === undefined ? path : place[1]! + path.slice(place[0]!.length);
  };
}

/** undefined when it is neither null nor base64. */
function bytesOf(value: JsonValue | undefined): Uint8Array | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? new Uint8Array(bytes) : undefined;
}

function refused(error: 'busy' | 'secret' | 'stdin_digest' | 'receipt_reused' | 'sandbox', message: string): Launched {
  return { ok: false, error, message };
}
