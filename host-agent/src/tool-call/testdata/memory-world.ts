// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { parseCapability } from '../../capability/capability.ts';
import { EMPTY_BOOK, give, heldBy, revoke, useGrants, type Grant } from '../../capability/grant.ts';
import { hasRoom, openRequest, withRequest, withoutRequests, type RequestBook } from '../../capability/request-book.ts';
import { authorityOf } from '../../gate/authority.ts';
import type { AgentId, AgentName, CallId, GrantId, OperatorName, PackName, SessionId } from '../../identity/ids.ts';
import { accept, refuse, type Result } from '../../identity/result.ts';
import { nextEntry } from '../../ledger/chain.ts';
import type { Entry, JsonObject, JsonValue } from '../../ledger/entry.ts';
import { memoryLedgerStore } from '../../ledger/ledger-store.ts';
import type { RunResult, SandboxPlan } from '../../sandbox/permit.ts';
import type { Change, Observation, ShellUse, Tool } from '../../tools/tool.ts';
import type { Appended, OpenedShell, PermitStamp, ShellEnd, ShellOwner, ToolCallPorts } from '../ports.ts';
import { nothingToRedact } from '../redact.ts';
import type { RecordedPermit } from '../recorded-permit.ts';
import type { ToolCall } from '../tool-call.ts';

const MIDNIGHT = '2026-01-01T00:00:00.000Z';

/** A world in memory: real books, a real chain, and a runner that remembers what it was told to do. */
export function memoryWorld() {
  const store = memoryLedgerStore();
  const kept: Entry[] = [];
  const events: string[] = [];
  const faults: unknown[] = [];
  const ran: { permit: RecordedPermit; stdin: Uint8Array | null; cancelled: AbortSignal }[] = [];
  const observed: Observation[] = [];
  const changed: Change[] = [];
  const tools = new Map<string, Tool>(TOOLS.map((tool) => [tool.name, tool]));
  const revoked = new Set<GrantId>();
  let book = EMPTY_BOOK;
  let requests: RequestBook = [];
  let asked = 0;
  let writing: Promise<Result<Appended>> = Promise.resolve(refuse('nothing was written'));
  const opened: { permit: RecordedPermit; owner: ShellOwner }[] = [];
  const used: { shell: string; use: ShellUse }[] = [];
  const afterwards: Promise<unknown>[] = [];
  const world = {
    now: 1000,
    /** Shells that are open, and how those that calls open come to their ends. */
    shells: [] as { readonly agent: AgentName; readonly id: string }[],
    room: accept(true as const) as Result<true>,
    ends: new Map<CallId, Promise<ShellEnd>>(),
    onOpen: async (): Promise<OpenedShell> => ({ stands: true, seen: SCREEN }),
    onUse: async (): Promise<Result<JsonValue>> => accept({ bytes: 3 }),
    confined: accept(null) as Result<null>,
    /** Set to look at or to change what the ledger answers; throw or refuse to make it unavailable. */
    onAppend: async (_kind: string, answer: Appended): Promise<Result<Appended>> => accept(answer),
    onRun: async (): Promise<Result<RunResult>> => accept(result({})),
    /** Resolves when a caller has waited long enough. */
    patience: new Promise<void>(() => undefined),
    onObserve: async (): Promise<Result<JsonValue>> => accept([{ pid: 1 }]),
    onChange: async (): Promise<Result<JsonObject>> => accept({ before: 'inactive', after: 'active' }),
  };
  const ports: ToolCallPorts = {
    tools,
    ledger: {
      // One after the other, as the one writer does it.
      append: (draft, stamp) => (writing = writing.catch(() => null).then(async () => {
        const seq = store.head().seq + 1;
        const sealed = must(nextEntry(store.head(), draft, { id: `id-${seq}`, source: 'test', sourceSeq: seq, time: MIDNIGHT }));
        const answer = await world.onAppend(draft.kind, { seq, hash: sealed.hash, receipt: receiptFor(seq, stamp) });
        if (!answer.ok) return answer;
        store.append([sealed]);
        kept.push(sealed.entry);
        events.push(draft.kind);
        return answer;
      })),
    },
    // Nothing is at stake in a world without files; see keep-first.test.ts.
    restore: {
      roots: [],
      newPointId: () => 'p1',
      newCallId: () => 'own1' as CallId,
      begin: async () => () => undefined,
      isFirst: () => true,
      keptFirst: () => undefined,
    },
    redact: nothingToRedact,
    grants: {
      heldBy: (agent, session, now) => heldBy(book, agent, session, now),
      spend: (agent, grants, now) => {
        const used = useGrants(book, agent, grants.map((grant) => grant.id), now);
        if (used.ok) book = used.value.book;
        return used;
      },
      isRevoked: (id) => revoked.has(id),
    },
    requests: {
      find: (agent, capability) => openRequest(requests, agent, capability),
      hasRoom: (agent) => hasRoom(requests, agent),
      nextId: () => `r${(asked += 1)}`,
      add: (request) => {
        requests = withRequest(requests, request);
      },
      remove: (id) => {
        requests = withoutRequests(requests, new Set([id]));
      },
    },
    runner: {
      run: async (permit, stdin, cancelled) => {
        events.push('run');
        ran.push({ permit, stdin, cancelled });
        return world.onRun();
      },
    },
    containers: {
      act: async (_intent, name, act) => {
        events.push(`${act} ${name}`);
        return world.onObserve();
      },
    },
    observer: {
      observe: async (_intent, observation) => {
        events.push('observe');
        observed.push(observation);
        return world.onObserve();
      },
    },
    changer: {
      change: async (_intent, change) => {
        events.push('change');
        changed.push(change);
        return world.onChange();
      },
    },
    shells: {
      isOpen: (agent, shell) => world.shells.some((open) => open.agent === agent && open.id === shell),
      hasRoom: () => world.room,
      open: async (permit, owner) => {
        events.push('open');
        opened.push({ permit, owner });
        return world.onOpen();
      },
      use: async (_intent, shell, use) => {
        events.push('use');
        used.push({ shell, use });
        return world.onUse();
      },
      afterwards: (call, then) => {
        const end = world.ends.get(call);
        if (end === undefined) return void then(null);
        afterwards.push(end.then(then));
      },
    },
    clock: { now: () => world.now, wall: () => MIDNIGHT, sleep: () => world.patience },
    confined: () => world.confined,
    onFault: (error) => faults.push(error),
  };
  const grant = (id: string, capability: string, part: Partial<Grant> = {}): void => {
    const given: Grant = {
      id: id as GrantId,
      agent: DEMO.name,
      capability: must(parseCapability(capability)),
      notAfter: 9000,
      usesLeft: null,
      session: null,
      reason: 'a test',
      grantedBy: 'ada' as OperatorName,
      ...part,
    };
    book = must(give(book, given, DEMO.ceiling, world.now)).book;
  };
  const revokeGrant = (id: string): void => {
    book = revoke(book, id as GrantId).book;
    revoked.add(id as GrantId);
  };
  return { world, ports, kept, events, faults, ran, observed, changed, opened, used, afterwards, tools, grant, revokeGrant, openRequests: () => requests };
}

function receiptFor(seq: number, stamp: PermitStamp | null): Appended['receipt'] {
  return stamp && { boot: 'boot', seq, permit: stamp.digest, agent: stamp.agent, notAfter: stamp.notAfter, signature: 'by a ledger' };
}

export function result(part: Partial<RunResult>): RunResult {
  return {
    exit: { code: 0 },
    deadline: false,
    stdout: new TextEncoder().encode('done'),
    stderr: new Uint8Array(),
    dropped: { stdout: 0, stderr: 0 },
    label: 'unconfined',
    observed: { by: 'cgroup', cpuUsec: 12, memoryPeak: 4096, tasksPeak: null, wallMs: 3 },
    ...part,
  };
}

const SCREEN = { shell: 'c1', text: '$ ', missed: 0, running: true, exit: null, ended: null };

const HINTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };

function tool<Args>(part: Pick<Tool<Args>, 'name' | 'input' | 'needs' | 'action'>): Tool<Args> {
  return {
    title: part.name,
    description: part.name,
    annotations: HINTS,
    reply: (_, seen) => {
      const text = 'ran' in seen ? new TextDecoder().decode(seen.ran.stdout) : JSON.stringify(seen.seen);
      return { text, data: { text }, isError: 'ran' in seen && !('code' in seen.ran.exit && seen.ran.exit.code === 0) };
    },
    ...part,
  };
}

function command(kind: SandboxPlan['kind'], argv: readonly string[]): Pick<SandboxPlan, 'kind' | 'argv' | 'cwd' | 'env'> {
  return { kind, argv, cwd: '/', env: {} };
}

const TOOLS: readonly Tool[] = [
  tool<{ path: string; content: string }>({
    name: 'fs.write',
    input: z.strictObject({ path: z.string(), content: z.string() }),
    needs: ['fs:write:{path}'],
    action: ({ path, content }) => ({
      runs: 'sandbox',
      command: command('file', ['file-tool', 'write', path]),
      stdin: new TextEncoder().encode(content),
      timeoutMs: null,
    }),
  }),
  tool<{ path: string; first?: number | undefined }>({
    name: 'fs.read',
    // Not strict on purpose: unknown arguments are refused all the same.
    input: z.object({ path: z.string(), first: z.int().optional() }),
    needs: ['fs:read:{path}'],
    action: ({ path }) => ({ runs: 'sandbox', command: command('file', ['file-tool', 'read', path]), stdin: null, timeoutMs: 500 }),
  }),
  tool<{ program: string }>({
    name: 'process.run',
    input: z.strictObject({ program: z.string() }),
    needs: ['process:run:{program}'],
    action: ({ program }) => ({ runs: 'sandbox', command: command('process', [program]), stdin: null, timeoutMs: 999_999 }),
  }),
  tool<{ image: string }>({
    name: 'container.run',
    input: z.strictObject({ image: z.string() }),
    needs: ['container:run:{image}'],
    action: ({ image }) => ({
      runs: 'sandbox',
      command: { kind: 'container', container: { name: 'build', image }, argv: ['make'], cwd: '/workspace', env: {} },
      stdin: null,
      timeoutMs: null,
      replyAfterMs: 10,
    }),
  }),
  tool<object>({
    name: 'container.logs',
    input: z.strictObject({}),
    needs: ['process:list'],
    action: () => ({ runs: 'container', name: 'build', act: 'logs' }),
  }),
  tool<object>({
    name: 'process.list',
    input: z.strictObject({}),
    needs: ['process:list'],
    action: () => ({ runs: 'observe', observation: { what: 'processes' } }),
  }),
  tool<{ agent: string }>({
    name: 'agent.stop',
    input: z.strictObject({ agent: z.string() }),
    needs: ['agent:stop:{agent}'],
    action: ({ agent }) => ({ runs: 'change', change: { what: 'agent', verb: 'stop', agent } }),
  }),
  tool<{ capability: string; forMs: number; reason: string }>({
    name: 'authority.request',
    input: z.strictObject({ capability: z.string(), forMs: z.int(), reason: z.string() }),
    needs: [],
    action: (ask) => ({ runs: 'door', ask }),
  }),
  tool<{ program: string }>({
    name: 'shell.open',
    input: z.strictObject({ program: z.string() }),
    needs: ['shell:open', 'process:run:{program}'],
    action: ({ program }) => ({
      runs: 'sandbox',
      command: { ...command('process', [program]), terminal: { columns: 80, rows: 24 } },
      stdin: null,
      timeoutMs: null,
    }),
  }),
  tool<{ shell: string }>({
    name: 'shell.write',
    input: z.strictObject({ shell: z.string() }),
    needs: [],
    action: ({ shell }) => ({ runs: 'shell', shell, use: { what: 'write', text: 'x' } }),
  }),
  tool<object>({
    name: 'forgotten',
    input: z.strictObject({}),
    needs: [],
    action: () => ({ runs: 'observe', observation: { what: 'processes' } }),
  }),
];

export const DEMO = must(
  authorityOf({
    name: 'demo' as AgentName,
    pack: 'home' as PackName,
    id: 'agent.home.demo.v1' as AgentId,
    type: 'task',
    mode: 'mediated',
    uid: 61000,
    program: null,
    start: 'manual',
    capabilities: ['fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'process:list', 'container:run:tools'],
    ceiling: {
      allow: ['fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'fs:delete:/workspace/**', 'fs:read:/etc/**', 'process:list', 'process:run:*', 'agent:stop:*', 'container:run:*', 'shell:open'],
      deny: ['fs:read:/etc/shadow'],
    },
    root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
    limits: { timeoutMs: 30_000, memoryMax: 1 << 28, tasksMax: 32, outputMax: 65_536 },
    workspace: '/var/lib/holdfast-workspaces/demo',
    peers: { agent: '/a', remote: '/r' },
    peerLabels: { agent: 'unconfined', remote: 'unconfined' },
    callLabel: 'unconfined',
  }),
);

export function callOf(name: string, args: unknown, cancelled = new AbortController().signal): ToolCall {
  return { id: 'c1' as CallId, session: 's1' as SessionId, agent: DEMO, tool: name, arguments: args, trace: null, cancelled, goesOn: () => undefined };
}

export function must<T>(answer: Result<T>): T {
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

export const LEDGER_DOWN = refuse('the disk is full');
