// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from 'vitest';
import { parseCapability } from '../capability/capability.ts';
import { EMPTY_BOOK, heldBy, revoke, type GrantBook } from '../capability/grant.ts';
import type { RequestBook } from '../capability/request-book.ts';
import type { Declared, DeclaredAgent } from '../config/declared.ts';
import { openAgentRuns, type AgentRuns } from '../daemon/agent-runs.ts';
import { authorityOf } from '../gate/authority.ts';
import type { AgentName, GrantId, OperatorName, SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { appendQueue } from '../ledger/append-queue.ts';
import { decodeEntry } from '../ledger/decode.ts';
import type { Entry, EntryDraft, JsonValue } from '../ledger/entry.ts';
import { memoryLedgerStore } from '../ledger/ledger-store.ts';
import { UUID7_RANDOM_BYTES } from '../ledger/uuid7.ts';
import { answerOperator } from './operator-door.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';

const demo: DeclaredAgent = {
  name: 'demo' as AgentName,
  pack: 'main' as DeclaredAgent['pack'],
  id: 'agent.main.demo.v1' as DeclaredAgent['id'],
  type: 'task',
  mode: 'mediated',
  uid: 30_100,
  program: ['/usr/lib/holdfast/demo/agent'],
  start: 'manual',
  capabilities: ['process:list'],
  ceiling: { allow: ['fs:read:/var/log/**', 'process:list'], deny: ['fs:read:/var/log/private/**'] },
  root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
  limits: { timeoutMs: 1_000, memoryMax: 1, tasksMax: 1, outputMax: 1 },
  workspace: '/var/lib/holdfast-workspaces/demo',
  peers: { agent: '/a', remote: '/b' },
  peerLabels: { agent: 'unconfined', remote: 'unconfined' },
  callLabel: 'x (enforce)',
};
const ANNA = 30_200;

let now = 1_000_000;
let book: GrantBook = EMPTY_BOOK;
let requests: RequestBook = [];
let declared: Declared = { agents: [demo], problems: [] };
let ledgerFails: string | null = null;
let keepFails: string | null = null;
let units: string[] = [];
let active = 'inactive';
let keptBefore: Awaited<ReturnType<OperatorDoorPorts['keepBeforeRun']>> = refuse('set before each');
let letGo = 0;
let runs: AgentRuns;
/** What holdfastd itself records of programs that end. */
let ends: string[] = [];
let store = memoryLedgerStore();
let queue = queueOn();
/** Runs between an entry's writing and the answer about it. */
let afterRecord: () => void = () => undefined;

function queueOn(): ReturnType<typeof appendQueue> {
  return appendQueue({
    store,
    clock: () => ({ wallMs: Date.UTC(2030, 0, 1), bootMs: now }),
    random: () => new Uint8Array(UUID7_RANDOM_BYTES),
    later: (act) => void setImmediate(act),
    onCommit: () => undefined,
    last: null,
  });
}

let longest = { ms: 24 * 3_600_000, text: '24h' };
let settingsFile: string | null = null;
let redeclared: Result<never> | null = null;

beforeEach(() => {
  longest = { ms: 24 * 3_600_000, text: '24h' };
  settingsFile = 'grants: {longest: 2h}\n';
  redeclared = null;
  keptBefore = accept({ data: {}, letGo: () => undefined });
  letGo = 0;
  now = 1_000_000;
  book = EMPTY_BOOK;
  requests = [];
  declared = { agents: [demo], problems: [] };
  ledgerFails = null;
  keepFails = null;
  units = [];
  active = 'inactive';
  ends = [];
  runs = openAgentRuns([], { onEnded: (agent, { reason }) => ends.push(`${agent} ${reason}`), onStarted: () => undefined, keep: () => undefined });
  store = memoryLedgerStore();
  queue = queueOn();
  afterRecord = () => undefined;
});

const kept = (): Result<null> => (keepFails === null ? accept(null) : refuse(keepFails));
const unit = (verb: 'start' | 'stop') => async (name: string): Promise<Result<null>> => {
  units.push(`${verb} ${name}`);
  active = verb === 'start' ? 'active' : 'inactive';
  return accept(null);
};

const ports: OperatorDoorPorts = {
  version: '0',
  boot: 'boot',
  operators: () => [{ name: 'anna' as OperatorName, uid: ANNA, roles: ['admin'] }],
  declared: () => declared,
  ceilingOf: (agent) => {
    const authority = authorityOf(agent);
    return authority.ok ? accept(authority.value.ceiling) : authority;
  },
  authorityOf,
  restore: { take: () => refuse('not used here') } as unknown as OperatorDoorPorts['restore'],
  transfers: {} as OperatorDoorPorts['transfers'],
  images: {} as OperatorDoorPorts['images'],
  now: () => now,
  newGrantId: () => 'g-1' as GrantId,
  record: async (draft: EntryDraft) => {
    if (ledgerFails !== null) return refuse(ledgerFails);
    const done = await new Promise<Result<unknown>>((resolve) => queue.push('holdfastd', draft, (result) => resolve(result as Result<unknown>)));
    afterRecord();
    return done;
  },
  grants: () => book,
  replaceGrants: (next) => {
    book = next;
    return kept();
  },
  endGrant: (id) => {
    book = revoke(book, id).book;
    return kept();
  },
  requests: () => requests,
  replaceRequests: (next) => {
    requests = next;
  },
  units: { startUnit: unit('start'), stopUnit: unit('stop'), unitState: async () => accept({ active }) },
  // Made anew for each test.
  get runs() {
    return runs;
  },
  startIsOver: (agent) => units.push(`over ${agent}`),
  lastStop: new Map(),
  confined: () => accept(null),
  keepBeforeRun: async () => keptBefore,
  files: {
    pathOf: (agent) => `/layer/${agent}.yaml`,
    read: async () => accept(null),
    write: async () => refuse('no disk here'),
    remove: async () => accept(null),
  },
  foresee: () => declared,
  redeclare: async () => redeclared ?? accept(declared),
  oneAtATime: (work) => work(),
  posture: async () => [],
  usage: {} as OperatorDoorPorts['usage'],
  settings: {
    view: () => ({ settings: [], problems: [] }),
    longestGrant: () => longest,
    file: {
      path: '/layer/settings.yaml',
      read: () => accept(settingsFile),
      write: (text) => {
        settingsFile = text;
        return accept(null);
      },
    },
  },
  shells: { list: () => [], watch: async () => ({ ok: false as const, error: 'none' }) },
  sessionsOf: () => 0,
};

const ask = (message: JsonValue, uid = ANNA): ReturnType<typeof answerOperator> => answerOperator(ports, uid, message);
const wish = (more: Record<string, JsonValue> = {}): JsonValue => (
  { op: 'grant', agent: 'demo', capability: 'fs:read:/var/log/**', forMs: 60_000, uses: null, reason: 'ticket 1', ...more }
);
async function written(): Promise<readonly Entry[]> {
  const page = await store.query({});
  return page.entries.map(({ bytes }) => {
    const entry = decodeEntry(bytes);
    if (!entry.ok) throw new Error(entry.error);
    return entry.value;
  });
}
const kinds = async (): Promise<readonly string[]> => (await written()).map((entry) => entry.kind);
const holds = (): number => heldBy(book, demo.name, 's' as SessionId, now).grants.length;

describe('who asks is the kernel’s word (R104)', () => {
  test('a declared operator is answered', async () => {
    expect(await ask({ op: 'grants', agent: null })).toEqual({ ok: true, value: [] });
  });
  test.each([0, 30_100, 30_201, -1])('uid %i is not, whatever the message says', async (uid) => {
    const told = await ask(wish({ uid: ANNA, operator: 'anna' }), uid);
    expect(told).toEqual({ ok: false, error: `uid ${uid} is no operator of this machine; operators and their keys come with the seed` });
    expect(book).toBe(EMPTY_BOOK);
  });
  test.each([null, [], 'grant', {}, { op: '__proto__' }, { op: 'agents', more: 1 }, wish({ forMs: 1.5 }), wish({ reason: '' }), wish({ uses: 0 })])(
    '%j is not a request',
    async (message) => {
      expect(await ask(message)).toMatchObject({ ok: false, error: expect.stringContaining('cannot read the request') });
    },
  );
});

describe('grant (R3)', () => {
  test('is on record with the person before it holds, and ends when it was to end', async () => {
    afterRecord = () => expect(holds()).toBe(0);
    expect(await ask(wish())).toEqual({
      ok: true,
      value: { id: 'g-1', agent: 'demo', capability: 'fs:read:/var/log/**', reason: 'ticket 1', grantedBy: 'anna', leftMs: 60_000, usesLeft: null, notes: ["the agent's type goes on to deny fs:read:/var/log/private/**"] },
    });
    expect(await written()).toMatchObject([
      { kind: 'grant.given', actor: { type: 'user', id: 'anna' }, data: { grant: 'g-1', agent: 'demo', capability: 'fs:read:/var/log/**', for_ms: 60_000, uses: null, granted_by: 'anna' } },
    ]);
    now += 59_999;
    expect(holds()).toBe(1);
    now += 1;
    expect(holds()).toBe(0);
  });

  test('time that the ledger took counts: a grant never lives longer than issued', async () => {
    afterRecord = () => (now += 20_000);
    expect(await ask(wish())).toMatchObject({ ok: true, value: { leftMs: 40_000 } });
  });

  test.each<[string, Record<string, JsonValue>, string]>([
    ['too short', { forMs: 999 }, 'a grant lasts from 1s to 24h'],
    ['too long', { forMs: 24 * 3_600_000 + 1 }, 'a grant lasts from 1s to 24h'],
    ['unknown agent', { agent: 'nobody' }, 'no agent is named nobody; see: holdfast agent list'],
    ['malformed agent', { agent: '../x' }, 'an agent name must start with a-z and hold only a-z, 0-9 and _, at most 31 characters'],
    ['malformed capability', { capability: 'fs:read:relative' }, 'its path must be absolute, starting with /'],
    ['outside the ceiling', { capability: 'fs:read:/etc/shadow' }, "it is not inside the type's ceiling"],
    ['wider than the ceiling', { capability: 'fs:read:*' }, "it is not inside the type's ceiling"],
    ['denied whole', { capability: 'fs:read:/var/log/private/x' }, "the type's ceiling denies all of it"],
  ])('%s: refused, said why, and on record', async (_what, more, why) => {
    expect(await ask(wish(more))).toMatchObject({ ok: false, error: expect.stringContaining(why) });
    expect(await written()).toMatchObject([{ kind: 'grant.refused', actor: { type: 'user', id: 'anna' }, data: { why: expect.stringContaining(why) } }]);
    expect(book).toBe(EMPTY_BOOK);
  });

  test('a refused wish that has no canonical form is recorded in one that has', async () => {
    expect(await ask(wish({ capability: `\ud800${'x'.repeat(300_000)}` }))).toMatchObject({ ok: false });
    expect(await kinds()).toEqual(['grant.refused']);
  });

  test('no record, no grant', async () => {
    ledgerFails = 'ledger_unavailable';
    expect(await ask(wish())).toMatchObject({ ok: false, error: 'nothing is granted, for it cannot be recorded: ledger_unavailable' });
    expect(book).toBe(EMPTY_BOOK);
  });

  test('an agent that is removed while the ledger writes gets nothing, and the record says so', async () => {
    afterRecord = () => {
      declared = { agents: [], problems: [] };
    };
    expect(await ask(wish())).toMatchObject({ ok: false, error: expect.stringContaining('nothing is granted: no agent is named demo') });
    expect(holds()).toBe(0);
    expect(await kinds()).toEqual(['grant.given', 'grant.ended']);
  });

  test('says where it stops short (R1)', async () => {
    const notes = async (capability: string): Promise<unknown> => ((await ask(wish({ capability }))) as unknown as { value: { notes: unknown } }).value.notes;
    expect(await notes('fs:read:/var/log/apt/**')).toEqual([]);
    book = EMPTY_BOOK;
    expect(await notes('fs:read:/var/log/apt/*')).toEqual(['fs:read:/var/log/apt/* reaches one level only; for everything below write fs:read:/var/log/apt/**']);
  });

  test('answers the requests it fulfils, and only those', async () => {
    const capability = (text: string) => {
      const parsed = parseCapability(text);
      if (!parsed.ok) throw new Error(parsed.error);
      return parsed.value;
    };
    const asked = { agent: demo.name, forMs: 1_000, reason: 'please', askedAt: '2030-01-01T00:00:00.000Z' };
    requests = [
      { ...asked, id: 'r-1', capability: capability('fs:read:/var/log/syslog') },
      { ...asked, id: 'r-2', capability: capability('fs:read:/srv/x') },
    ];
    await ask(wish());
    expect(requests.map(({ id }) => id)).toEqual(['r-2']);
    expect(await ask({ op: 'refuse', request: 'r-2', reason: 'no' })).toEqual({ ok: true, value: null });
    expect(requests).toEqual([]);
    expect((await written()).at(-1)).toMatchObject({ kind: 'grant.refused', data: { request: 'r-2', why: 'an operator said no' } });
    expect(await ask({ op: 'refuse', request: 'r-2', reason: 'no' })).toMatchObject({ ok: false, error: 'no request "r-2" waits; see: holdfast requests' });
  });
});

describe('revoke (A16)', () => {
  test('ends the grant before the answer and before the ledger is asked', async () => {
    await ask(wish());
    afterRecord = () => expect(holds()).toBe(0);
    expect(await ask({ op: 'revoke', grant: 'g-1' })).toEqual({ ok: true, value: { note: null } });
    expect(await kinds()).toEqual(['grant.given', 'grant.ended']);
    expect(await ask({ op: 'revoke', grant: 'g-1' })).toMatchObject({ ok: false, error: 'no grant "g-1" holds now; see: holdfast grants' });
  });
  test('a ledger that is down keeps no capability alive', async () => {
    await ask(wish());
    ledgerFails = 'down';
    keepFails = 'no room in /run';
    expect(await ask({ op: 'revoke', grant: 'g-1' })).toEqual({ ok: true, value: { note: 'no room in /run; its end cannot be recorded: down' } });
    expect(holds()).toBe(0);
  });
});

describe('agents', () => {
  test('start and stop go through the agent’s own unit and are on record', async () => {
    expect(await ask({ op: 'agent-start', agent: 'demo' })).toEqual({ ok: true, value: null });
    expect(await ask({ op: 'agent-stop', agent: 'demo' })).toEqual({ ok: true, value: null });
    // A stop counts from before systemd is asked, a start once it has been done: see daemon/start-at-boot.ts.
    expect(units).toEqual(['start holdfast-agent@demo.service', 'over demo', 'over demo', 'stop holdfast-agent@demo.service']);
    expect(await kinds()).toEqual(['agent.started', 'agent.stopped']);
    expect((await written())[1]).toMatchObject({ actor: { type: 'user', id: 'anna' }, data: { agent: 'demo', reason: 'operator' } });
    runs.seen(demo.name, { active: 'inactive', job: false, result: null });
    expect(ends).toEqual([]);
  });
  test('what runs is not started again, what does not run is not recorded as stopped', async () => {
    for (const op of ['agent-start', 'agent-start', 'agent-stop'] as const) expect(await ask({ op, agent: 'demo' })).toEqual({ ok: true, value: null });
    runs.seen(demo.name, { active: 'inactive', job: false, result: null });
    expect(await ask({ op: 'agent-stop', agent: 'demo' })).toEqual({ ok: true, value: null });
    expect(await kinds()).toEqual(['agent.started', 'agent.stopped']);
  });
  test('what was kept before a program was started is in the entry of its start, and is held no longer', async () => {
    keptBefore = accept({ data: { session: 's-1', restore: ['p-1'] }, letGo: () => void (letGo += units.length) });
    await ask({ op: 'agent-start', agent: 'demo' });
    expect((await written())[0]).toMatchObject({ kind: 'agent.started', data: { agent: 'demo', session: 's-1', restore: ['p-1'] } });
    // After systemd had started it.
    expect(letGo).toBe(1);
  });
  test('what cannot be kept does not start, and is told until it does', async () => {
    const told = async (): Promise<unknown> => ((await ask({ op: 'agents' })) as unknown as { value: { notStarted: unknown }[] }).value[0]?.notStarted;
    const before = keptBefore;
    keptBefore = refuse('no restore point of its workspace could be made: EDQUOT');
    expect(await ask({ op: 'agent-start', agent: 'demo' })).toEqual({ ok: false, error: 'demo stays stopped: no restore point of its workspace could be made: EDQUOT' });
    expect([units, await kinds(), await told()]).toEqual([[], [], 'no restore point of its workspace could be made: EDQUOT']);
    keptBefore = before;
    await ask({ op: 'agent-start', agent: 'demo' });
    expect(await told()).toBe(null);
  });
  test('a program that failed is shown as such until it starts again, though systemd has forgotten it', async () => {
    const state = async (): Promise<unknown> => ((await ask({ op: 'agents' })) as unknown as { value: { state: string }[] }).value[0]?.state;
    await ask({ op: 'agent-start', agent: 'demo' });
    expect(await state()).toBe('active');
    runs.seen(demo.name, { active: 'failed', job: false, result: 'exit-code 1' });
    active = 'inactive';
    expect(await state()).toBe('failed');
    expect(ends).toEqual(['demo failed']);
    await ask({ op: 'agent-start', agent: 'demo' });
    expect(await state()).toBe('active');
  });
  test('what cannot be recorded is not left running, and stopping never waits for the ledger', async () => {
    ledgerFails = 'down';
    expect(await ask({ op: 'agent-start', agent: 'demo' })).toMatchObject({ ok: false, error: 'demo is stopped again, for its start cannot be recorded: down' });
    expect(units).toEqual(['start holdfast-agent@demo.service', 'stop holdfast-agent@demo.service']);
    expect(await ask({ op: 'agent-stop', agent: 'demo' })).toMatchObject({ ok: false, error: 'demo is stopped, but that cannot be recorded: down' });
  });
  test.each(['nobody', 'demo.service', '../../sshd', ''])('%j starts nothing', async (agent) => {
    expect(await ask({ op: 'agent-start', agent })).toMatchObject({ ok: false });
    expect(units).toEqual([]);
  });
  test('an agent without a program has nothing to start', async () => {
    declared = { agents: [{ ...demo, program: null }], problems: [] };
    expect(await ask({ op: 'agent-start', agent: 'demo' })).toMatchObject({ ok: false, error: expect.stringContaining('connects from elsewhere (ssh agent-demo@box)') });
    expect(await ask({ op: 'agents' })).toMatchObject({ ok: true, value: [{ name: 'demo', state: 'remote' }] });
  });
});

describe('settings of the machine', () => {
  test('the longest grant is what they say', async () => {
    longest = { ms: 60_000, text: '1min' };
    expect(await ask(wish())).toMatchObject({ ok: true });
    expect(await ask(wish({ forMs: 60_001 }))).toMatchObject({ ok: false, error: expect.stringContaining('a grant lasts from 1s to 1min') });
  });

  test('a good file is recorded with its digest and the person, then it lies there', async () => {
    expect(await ask({ op: 'settings-set', file: 'grants: {longest: 1h}\n' })).toEqual({ ok: true, value: null });
    expect(settingsFile).toBe('grants: {longest: 1h}\n');
    expect(await written()).toMatchObject([{ kind: 'configuration.changed', actor: { type: 'user', id: 'anna' }, data: { what: 'settings replaced', digest: expect.stringMatching(/^[0-9a-f]{64}$/) } }]);
  });

  test.each([
    ['a bad file', () => undefined, 'grants: {longest: 25h}\n', 'line 1: grants.longest: must be a duration from 1min to 24h'],
    ['no record', () => void (ledgerFails = 'the disk is full'), 'grants: {longest: 1h}\n', 'the disk is full'],
    ['no declaration', () => void (redeclared = refuse('no systemd')), 'grants: {longest: 1h}\n', 'no systemd; the file is as it was'],
  ])('%s changes nothing', async (_, before, file, error) => {
    before();
    expect(await ask({ op: 'settings-set', file })).toEqual({ ok: false, error: expect.stringContaining(error) });
    expect(settingsFile).toBe('grants: {longest: 2h}\n');
  });
});
