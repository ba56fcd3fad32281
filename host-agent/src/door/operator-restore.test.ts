// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from 'vitest';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse } from '../identity/result.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { memoryWorld, result } from '../tool-call/testdata/memory-world.ts';
import { showDiff, undo } from './operator-restore.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';

const ANNA = { kind: 'operator', name: 'anna', roles: ['admin'] } as unknown as OperatorPrincipal;
const POINTS = ['p-1\0/workspace\0.\0c-1\0s-1\0fs.write\x005\x002\x001\x001\x000\x000\0', 'p-2\0/workspace\0.\0c-2\0s-1\0process.run\x006\x002\x001\x001\x000\x000\0'];
const REQUEST = { op: 'undo', agent: 'demo', target: { kind: 'call', call: 'c-1' }, path: null, force: false, dryRun: false } as const;

let ran: string[];
let letGo: number;
let facts: Record<string, string>;
let busy: boolean;
let mode: string;
let active: string | null;

beforeEach(() => {
  ran = [];
  letGo = 0;
  busy = false;
  [mode, active] = ['mediated', 'active'];
  facts = {
    points: '{"points":2}',
    point: '{"entries":1,"bytes":1,"kept":1,"unread":0,"moving":0,"scope":"."}',
    undo: '{"done":true,"restored":1,"removed":0,"left":0,"conflicts":0,"unread":0}',
    diff: '{"changes":0,"shown":0,"unread":0}',
  };
});

function ports(): { door: OperatorDoorPorts; kept: ReturnType<typeof memoryWorld>['kept'] } {
  const memory = memoryWorld();
  let calls = 0;
  const answer = (op: string): Partial<RunResult> => ({ stdout: Buffer.from(op === 'points' ? POINTS.join('') : ''), stderr: Buffer.from(`${facts[op] ?? ''}\n`) });
  const runner = {
    run: async ({ permit }: { permit: { tool: string; plan: { argv: readonly string[] } } }) => {
      ran.push(`${permit.tool} ${permit.plan.argv.slice(3).filter((word) => !/^(--store|\/restore)$/.test(word)).join(' ')}`);
      return accept(result(answer(permit.plan.argv[2]!)));
    },
  };
  const door = {
    declared: () => ({ agents: [{ name: 'demo' }], problems: [] }),
    authorityOf: () => accept({ name: 'demo', mode } as AgentAuthority),
    units: { unitState: async () => (active === null ? refuse('no bus') : accept({ active })) },
    restore: {
      calls: { ...memory.ports, runner },
      newCallId: () => `c-own${(calls += 1)}` as CallId,
      newPointId: () => 'p-new',
      take: () => (busy ? refuse('demo is writing now') : accept(() => void (letGo += 1))),
      wallMs: () => 7,
      etcRoots: ['/etc/nginx'],
    },
  } as unknown as OperatorDoorPorts;
  return { door, kept: memory.kept };
}

test('an undo looks first, makes a restore point, undoes, is on record as the operator\'s, and lets the agent go on', async () => {
  const { door, kept } = ports();
  expect(await undo(door, ANNA, REQUEST)).toMatchObject({ ok: true, value: [{ from: 'p-1', to: 'p-2', point: 'p-new', restored: 1 }] });
  expect(ran.map((line) => line.split(' ')[0])).toEqual(['restore.list', 'restore.foresee', 'restore.point', 'restore.undo']);
  expect(ran[1]).toContain('--dry-run');
  expect(ran[3]).toBe('restore.undo . --from p-1 --to p-2');
  expect(kept.filter(({ kind }) => kind === 'call.intent').every(({ actor }) => actor.type === 'user' && actor.id === 'anna')).toBe(true);
  // The point names the undo, so that the undo can be undone by its entry.
  const done = kept.find(({ data }) => data['tool'] === 'restore.undo')!.data['call'];
  expect(ran[2]).toContain(`--call ${String(done)}`);
  expect(letGo).toBe(1);
});

test.each<[string, string, Partial<typeof REQUEST> | { force: true } | { dryRun: true }]>([
  ['what changed since', '{"done":false,"restored":1,"removed":0,"left":0,"conflicts":2,"unread":0}', {}],
  ['nothing to do', '{"done":false,"restored":0,"removed":0,"left":0,"conflicts":0,"unread":0}', {}],
  ['a dry run', '{"done":false,"restored":3,"removed":0,"left":0,"conflicts":0,"unread":0}', { dryRun: true }],
])('%s: neither a point is made nor anything changed', async (_, foreseen, part) => {
  facts['undo'] = foreseen;
  const answer = await undo(ports().door, ANNA, { ...REQUEST, ...part });
  expect(answer).toMatchObject({ ok: true, value: [{ point: null, done: false }] });
  expect(ran.map((line) => line.split(' ')[0])).toEqual(['restore.list', 'restore.foresee']);
});

test('without a restore point of its own nothing is undone, and the agent goes on', async () => {
  facts['point'] = '';
  expect(await undo(ports().door, ANNA, REQUEST)).toMatchObject({ ok: false, error: expect.stringContaining('no restore point could be made') });
  expect(ran.some((line) => line.startsWith('restore.undo'))).toBe(false);
  expect(letGo).toBe(1);
});

test('while the agent writes it is refused before anything runs; a look is not', async () => {
  busy = true;
  const { door } = ports();
  expect(await undo(door, ANNA, REQUEST)).toMatchObject({ ok: false });
  expect(ran).toEqual([]);
  expect(await undo(door, ANNA, { ...REQUEST, dryRun: true })).toMatchObject({ ok: true });
});

test.each<[string | null, boolean]>([['active', false], ['deactivating', false], [null, false], ['inactive', true], ['failed', true]])(
  'the program of a contained agent, as systemd knows it (%s), writes with its own hands: undone only while none runs, or by force',
  async (is, done) => {
    [mode, active] = ['contained', is];
    const { door } = ports();
    expect(await undo(door, ANNA, REQUEST)).toMatchObject(done ? { ok: true } : { ok: false, error: expect.stringContaining('holdfast agent stop demo') });
    if (!done) expect(ran).toEqual([]);
    expect(letGo).toBe(1);
    expect(await undo(door, ANNA, { ...REQUEST, dryRun: true })).toMatchObject({ ok: true });
    expect(await undo(door, ANNA, { ...REQUEST, force: true })).toMatchObject({ ok: true });
  },
);

test('the image is compared only where it has something that agents can change', async () => {
  const { door } = ports();
  const asked = { op: 'diff', agent: 'demo', target: { kind: 'image' } } as const;
  expect(await showDiff(door, ANNA, { ...asked, path: '/etc/shadow' })).toMatchObject({ ok: false });
  expect(await showDiff(door, ANNA, { ...asked, path: null })).toMatchObject({ ok: false });
  expect(ran).toEqual([]);
  expect(await showDiff(door, ANNA, { ...asked, path: '/etc/nginx/conf.d' })).toMatchObject({ ok: true, value: [{ of: '/etc/nginx', path: 'conf.d', to: null }] });
  expect(ran[0]).toContain('--of /usr/share/holdfast-etc/nginx');
});
