// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from 'vitest';
import { workspaceTurns } from '../daemon/workspace-turns.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, SessionId } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { DEMO, LEDGER_DOWN, memoryWorld, result } from '../tool-call/testdata/memory-world.ts';
import { keepBeforeRun, type KeepBeforeRunPorts } from './keep-before-run.ts';

const CONTAINED: AgentAuthority = { ...DEMO, mode: 'contained' };
const KEPT = Buffer.from('{"entries":2,"bytes":1,"kept":1,"unread":0,"moving":0,"scope":"."}\n');

let memory: ReturnType<typeof memoryWorld>;
let turns: ReturnType<typeof workspaceTurns>;
let active: string | null;
let answer: Partial<RunResult>;

beforeEach(() => {
  memory = memoryWorld();
  turns = workspaceTurns();
  active = 'inactive';
  answer = { stderr: KEPT };
  memory.world.onRun = async () => accept(result(answer));
});

function ports(): KeepBeforeRunPorts {
  return {
    restore: { calls: memory.ports, newCallId: () => 'c-own' as CallId, newPointId: () => 'p-1', take: turns.take, wallMs: () => 7, etcRoots: ['/etc/nginx'] },
    units: { unitState: async () => (active === null ? refuse('no bus') : accept({ active })) },
    newSessionId: () => 's-1' as SessionId,
  };
}

const isFree = (): boolean => {
  const turn = turns.take(DEMO.name, false);
  if (turn.ok) turn.value();
  return turn.ok;
};

test('of a contained agent\'s workspace a point is made that only its start names, and no undo begins before it runs', async () => {
  const kept = await keepBeforeRun(CONTAINED, ports());
  expect(kept).toMatchObject({ ok: true, value: { data: { mode: 'contained', session: 's-1', restore: ['p-1'] } } });
  expect(memory.kept).toMatchObject([
    { kind: 'call.intent', actor: { id: 'holdfastd' }, data: { tool: 'restore.point', session: 's-1', mode: 'contained', arguments: { point: 'p-1', before: 's-1' } } },
    { kind: 'call.outcome', data: { tool: 'restore.point', status: 'ok', mode: 'contained' } },
  ]);
  const [{ permit }] = memory.ran as [(typeof memory.ran)[0]];
  const { argv, bindings } = permit.permit.plan;
  expect(argv.slice(1, 4)).toEqual(['/workspace', 'point', '.']);
  // In a sandbox that reads what it keeps and writes nothing but the points.
  expect(bindings).toEqual([{ path: '/workspace', access: 'ro' }, { path: '/restore', access: 'rw' }]);
  expect(argv.join(' ')).toContain('--session s-1 --tool agent.start');
  expect(isFree()).toBe(false);
  if (kept.ok) kept.value.letGo();
  expect(isFree()).toBe(true);
});

test('a mediated agent writes by calls only, which have points of their own', async () => {
  expect(await keepBeforeRun(DEMO, ports())).toMatchObject({ ok: true, value: { data: {} } });
  expect([memory.ran, isFree()]).toEqual([[], true]);
});

test.each<[string, () => void, string]>([
  ['its quota is full', () => (answer = { exit: { code: 1 }, stderr: Buffer.from('{"errno":"EDQUOT","path":"big","what":"cannot be kept"}\n') }), 'no restore point of its workspace could be made: EDQUOT: big cannot be kept'],
  ['no facts came', () => (answer = {}), 'no restore point of its workspace could be made'],
  ['the runner is not there', () => (memory.world.onRun = async () => refuse('no runner')), 'could be made: no runner'],
  ['the ledger is down', () => (memory.world.onAppend = async () => LEDGER_DOWN), 'what cannot be recorded does not run'],
  ['it runs already', () => (active = 'active'), 'the program of demo is active'],
  ['it is not over yet', () => (active = 'deactivating'), 'the program of demo is deactivating'],
  ['systemd does not answer', () => (active = null), 'cannot be told: no bus'],
  ['an undo is under way', () => void turns.take(DEMO.name, false), 'another undo'],
])('it does not start when %s', async (_, happens, why) => {
  happens();
  expect(await keepBeforeRun(CONTAINED, ports())).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  if (why !== 'another undo') expect(isFree()).toBe(true);
});
