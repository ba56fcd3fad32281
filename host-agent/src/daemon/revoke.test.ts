// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeclaredAgent } from '../config/declared.ts';
import { answerOperator } from '../door/operator-door.ts';
import type { OperatorDoorPorts } from '../door/operator-ports.ts';
import { keepGrants, type KeptGrants } from '../effects/kept-grants.ts';
import type { CallId, GrantId, OperatorName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { handleToolCall } from '../tool-call/handle-tool-call.ts';
import type { ToolCallPorts } from '../tool-call/ports.ts';
import { callOf, DEMO, memoryWorld, must, result } from '../tool-call/testdata/memory-world.ts';
import type { ToolReply } from '../tools/tool.ts';
import { openAgentRuns } from './agent-runs.ts';

// A16 with the real book of grants, the real operators' door, the real life of a call and a real chain; only the processes of the
// calls are not there.

const CALLS = 1_000;
const ANNA = 30_200;
const READ = { path: '/etc/os-release' };

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'revoke-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Lets others go first, so that nobody's answer comes in the order of the questions. */
function turns(random: () => number): Promise<void> {
  let left = Math.floor(random() * 20);
  return new Promise((resolve) => {
    const next = (): void => void (left-- <= 0 ? resolve() : setImmediate(next));
    next();
  });
}

/** mulberry32: the same interleaving for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function operatorPorts(grants: KeptGrants, calls: ToolCallPorts): OperatorDoorPorts {
  const unused = async (): Promise<never> => {
    throw new Error('not used here');
  };
  return {
    version: '0',
    boot: 'boot',
    operators: () => [{ name: 'anna' as OperatorName, uid: ANNA, roles: ['ops'] }],
    declared: () => ({ agents: [{ name: DEMO.name } as DeclaredAgent], problems: [] }),
    ceilingOf: () => accept(DEMO.ceiling),
    authorityOf: () => refuse('not used here'),
    restore: { take: () => refuse('not used here') } as unknown as OperatorDoorPorts['restore'],
    transfers: {} as OperatorDoorPorts['transfers'],
    images: {} as OperatorDoorPorts['images'],
    now: calls.clock.now,
    newGrantId: () => 'g-1' as GrantId,
    record: (draft) => calls.ledger.append(draft, null),
    grants: grants.book,
    replaceGrants: grants.replace,
    endGrant: grants.end,
    requests: () => [],
    replaceRequests: () => undefined,
    runs: openAgentRuns([], { onEnded: () => undefined, onStarted: () => undefined, keep: () => undefined }),
    startIsOver: () => undefined,
    lastStop: new Map(),
    confined: () => accept(null),
    keepBeforeRun: async () => accept({ data: {}, letGo: () => undefined }),
    units: { startUnit: unused, stopUnit: unused, unitState: unused },
    files: { pathOf: () => '', read: unused, write: unused, remove: unused },
    foresee: () => ({ agents: [], problems: [] }),
    redeclare: unused,
    oneAtATime: (work) => work(),
    posture: unused,
    usage: {} as OperatorDoorPorts['usage'],
    settings: { longestGrant: () => ({ ms: 24 * 3_600_000, text: '24h' }) } as OperatorDoorPorts['settings'],
    shells: { list: () => [], watch: async () => ({ ok: false as const, error: 'none' }) },
    sessionsOf: () => 0,
  };
}

test.each([1, 2, 3, 4, 5])(`A16: of ${CALLS} calls around a revoke none that starts after its answer is allowed (interleaving %i)`, async (seed) => {
  const random = seeded(seed);
  const { world, ports: memory, kept } = memoryWorld();
  const { grants } = keepGrants(dir, 'boot', memory.clock, () => undefined);
  let answered = false;
  let ranBefore = 0;
  let ranAfter = 0;
  const ports: ToolCallPorts = {
    ...memory,
    grants,
    ledger: {
      append: async (draft, stamp) => {
        const appended = await memory.ledger.append(draft, stamp);
        await turns(random);
        return appended;
      },
    },
    runner: {
      run: async () => {
        if (answered) ranAfter += 1;
        else ranBefore += 1;
        await turns(random);
        return accept(result({}));
      },
    },
  };
  world.now = 1_000;
  const door = operatorPorts(grants, ports);
  must(await answerOperator(door, ANNA, { op: 'grant', agent: 'demo', capability: 'fs:read:/etc/os-release', forMs: 60_000, uses: null, reason: 'a test' }));

  const late: Promise<ToolReply>[] = [];
  const all: Promise<ToolReply>[] = [];
  const begin = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const call = handleToolCall({ ...callOf('fs.read', READ), id: `c${all.length}` as CallId }, ports);
      all.push(call);
      if (answered) late.push(call);
    }
  };
  // A few at a time, so that at the revoke some are judged, some wait for the ledger and some run.
  const pour = async (count: number, step: number): Promise<void> => {
    for (let i = 0; i < count; i += step) {
      begin(step);
      await turns(random);
    }
  };
  await pour(CALLS * 0.4, 10);
  begin(CALLS * 0.2);
  const revoking = answerOperator(door, ANNA, { op: 'revoke', grant: 'g-1' }).then((answer) => {
    answered = true;
    return answer;
  });
  await pour(CALLS * 0.2, 20);
  expect(must(await revoking)).toEqual({ note: null });
  await pour(CALLS * 0.2, 20);

  const replies = await Promise.all(all);
  expect(replies).toHaveLength(CALLS);
  expect(ranAfter).toBe(0);
  // The control: it was of use before, and the revoke came amid calls that were allowed and had not begun.
  expect(ranBefore).toBeGreaterThan(CALLS * 0.2);
  expect(replies.filter((reply) => reply.text.includes('was revoked')).length).toBeGreaterThan(0);
  expect(late.length).toBeGreaterThanOrEqual(CALLS * 0.2);
  for (const reply of await Promise.all(late)) expect(reply).toMatchObject({ isError: true, data: { refused: 'denied', rule: 'default-deny' } });

  // And the record says the same: each call has its refusal, or an intent and an outcome; no intent has the grant after its end.
  const ended = kept.find((entry) => entry.kind === 'grant.ended')!;
  const intents = kept.filter((entry) => entry.kind === 'call.intent');
  expect(intents.filter((entry) => entry.seq > ended.seq)).toEqual([]);
  const did = kept.filter((entry) => entry.kind === 'call.outcome' && entry.data['status'] === 'ok');
  expect(did).toHaveLength(ranBefore);
  expect(intents.length + kept.filter((entry) => entry.kind === 'call.refused').length).toBe(CALLS);
  grants.close();
});

test('what cannot be recorded is revoked all the same', async () => {
  const { ports: memory } = memoryWorld();
  const { grants } = keepGrants(dir, 'boot', memory.clock, () => undefined);
  let down = false;
  const ports: ToolCallPorts = { ...memory, grants, ledger: { append: async (draft, stamp) => (down ? refuse('no disk') : memory.ledger.append(draft, stamp)) } };
  const door = operatorPorts(grants, ports);
  must(await answerOperator(door, ANNA, { op: 'grant', agent: 'demo', capability: 'fs:read:/etc/os-release', forMs: 60_000, uses: null, reason: 'a test' }));
  expect(await handleToolCall(callOf('fs.read', READ), ports)).toMatchObject({ isError: false });
  down = true;
  expect(must(await answerOperator(door, ANNA, { op: 'revoke', grant: 'g-1' }))).toEqual({ note: expect.stringContaining('no disk') });
  down = false;
  expect(await handleToolCall(callOf('fs.read', READ), ports)).toMatchObject({ data: { refused: 'denied' } });
  grants.close();
});
