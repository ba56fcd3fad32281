// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from 'vitest';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, OperatorName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { DEMO, memoryWorld, result } from '../tool-call/testdata/memory-world.ts';
import { beginGet, endPut } from './operator-project.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';

const ANNA = { kind: 'operator', name: 'anna' as OperatorName, roles: [] } as const;
const PUT = { op: 'put-end', transfer: 't-1', path: 'app' } as const;
const GET = { op: 'get', agent: 'demo', path: 'app', bundle: true } as const;
const TOLD = { errno: 'EBADMSG', path: 'the archive', what: 'it is damaged' };

let agent: AgentAuthority;
let ran: { tool: string; permit: Permit }[];
let transfers: string[];
let busy: boolean;
let letGo: number;
/** What the file tool and git answer; what is not named here goes well. */
let answers: Record<string, Partial<RunResult>>;

const says = (facts: object): Partial<RunResult> => ({ stdout: new Uint8Array(), stderr: Buffer.from(`${JSON.stringify(facts)}\n`) });
const fails = (facts: object): Partial<RunResult> => ({ ...says(facts), exit: { code: 1 } });
const unpacked = (bundle: boolean): Partial<RunResult> => says({ files: bundle ? 0 : 3, directories: 1, links: 0, bytes: 9, left: 0, bundle });

beforeEach(() => {
  agent = { ...DEMO, root: 'tools' };
  ran = [];
  transfers = [];
  busy = false;
  letGo = 0;
  answers = {
    'restore.point': says({ entries: 1, bytes: 1, kept: 1, unread: 0, moving: 0, scope: 'app' }),
    'project.put': unpacked(true),
    'project.get': says({ bytes: 9 }),
    'project.clear': says({ removed: 1 }),
    'project.clone': {},
    'project.bundle': {},
  };
});

function ports() {
  const memory = memoryWorld();
  let calls = 0;
  const runner = {
    run: async ({ permit }: { permit: Permit }) => {
      ran.push({ tool: permit.tool, permit });
      return accept(result(answers[permit.tool]!));
    },
  };
  const door = {
    declared: () => ({ agents: [{ name: 'demo' }], problems: [] }),
    authorityOf: () => accept(agent),
    transfers: {
      begin: () => (transfers.push('begun'), accept('t-2')),
      seal: async (_: string, owner: string) => (owner === 'anna' ? accept({ agent: 'demo', size: 9, sha256: 'ab' }) : refuse('this transfer is over')),
      size: async () => accept(9),
      end: (id: string) => void transfers.push(`ended ${id}`),
    },
    restore: {
      calls: { ...memory.ports, runner },
      newCallId: () => `c-own${(calls += 1)}` as CallId,
      newPointId: () => 'p-new',
      take: () => (busy ? refuse('demo is writing now') : accept(() => void (letGo += 1))),
      wallMs: () => 7,
    },
  } as unknown as OperatorDoorPorts;
  return { door, kept: memory.kept };
}

const tools = (): readonly string[] => ran.map(({ tool }) => tool);
const words = (tool: string): string => ran.find((one) => one.tool === tool)!.permit.plan.argv.slice(1).join(' ');

describe('what is put in', () => {
  test('is a tar archive unless the file tool says otherwise: a point, and one call', async () => {
    answers['project.put'] = unpacked(false);
    expect(await endPut(ports().door, ANNA, PUT)).toMatchObject({ ok: true, value: { files: 3, bundle: false, point: 'p-new' } });
    expect(tools()).toEqual(['restore.point', 'project.put']);
    expect([letGo, transfers]).toEqual([1, ['ended t-1']]);
  });

  test('is a bundle: put down, made a repository by a program of the agent\'s sandbox, and cleared away; each on record as the operator\'s', async () => {
    const { door, kept } = ports();
    expect(await endPut(door, ANNA, PUT)).toMatchObject({ ok: true, value: { bundle: true, point: 'p-new' } });
    expect(tools()).toEqual(['restore.point', 'project.put', 'project.clone', 'project.clear']);
    expect(words('project.put')).toBe('/workspace unpack app --from /transfer/t-1 --bundle .holdfast-bundle-c-own1');
    expect(words('project.clear')).toBe('/workspace delete app/.holdfast-bundle-c-own1 --recursive --keep-time');
    const { plan } = ran[2]!.permit;
    expect(plan).toMatchObject({ kind: 'process', root: 'tools', cwd: '/workspace/app', bindings: [{ path: '/workspace/app', access: 'rw' }], limits: DEMO.limits });
    const intents = kept.filter(({ kind }) => kind === 'call.intent');
    expect(intents.every(({ actor, data }) => actor.id === 'anna' && data['rule'] === 'operator' && (data['grants'] as unknown[]).length === 0)).toBe(true);
    // By the entry of either, the put is what is taken back.
    expect(intents[2]!.data).toMatchObject({ tool: 'project.clone', arguments: { path: '/workspace/app', put: intents[1]!.data['call'] } });
    expect(ran[0]!.permit.plan.argv).toContain(String(intents[1]!.data['call']));
    expect(kept.filter(({ kind }) => kind === 'call.outcome')).toHaveLength(4);
    expect(letGo).toBe(1);
  });

  test('and cannot become a repository: the reason in git\'s words on one line, and the bundle is cleared away all the same', async () => {
    answers['project.clone'] = { exit: { code: 128 }, stderr: Buffer.from('error: lacks these\nfatal: \x1b[31mno\n') };
    expect(await endPut(ports().door, ANNA, PUT)).toEqual({
      ok: false, error: 'cannot put that in: git ended with exit code 128: error: lacks these; fatal: \x1b[31mno. A part of it may be there; to take it back: holdfast undo p-new --agent demo',
    });
    expect(tools().at(-1)).toBe('project.clear');
    answers['project.clone'] = { deadline: true, exit: { signal: 'SIGKILL' } };
    expect(await endPut(ports().door, ANNA, PUT)).toMatchObject({ ok: false, error: expect.stringContaining('git took longer than a call of this agent may') });
    answers['project.clone'] = {};
    answers['project.clear'] = fails({ errno: 'EACCES', path: 'app/x', what: 'is shut' });
    expect(await endPut(ports().door, ANNA, PUT)).toMatchObject({ ok: false, error: expect.stringMatching(/app\/\.holdfast-bundle-c-own\d+ could not be removed: EACCES/) });
    expect(letGo).toBe(3);
  });

  test.each([
    ['whose calls see the appliance\'s own programs', (): AgentAuthority => ({ ...DEMO, root: 'image' })],
    ['that may never run git', (): AgentAuthority => ({ ...DEMO, root: 'tools', ceiling: { ...DEMO.ceiling, allow: DEMO.ceiling.allow.filter(({ namespace }) => namespace !== 'process') } })],
  ])('is a bundle for an agent %s: nothing is put down, and a tar archive asked for', async (_, who) => {
    agent = who();
    expect(await endPut(ports().door, ANNA, PUT)).toEqual({ ok: false, error: 'what came is a bundle of git, and agents of type task have no git; send a tar archive' });
    expect(tools()).toEqual(['restore.point', 'project.put']);
    expect(words('project.put')).toBe('/workspace unpack app --from /transfer/t-1');
  });

  test.each([
    ['there is no restore point', 'restore.point', ['restore.point']],
    ['it is no archive, or broke off', 'project.put', ['restore.point', 'project.put', 'project.clear']],
  ])('is not gone on with when %s', async (_, tool, calls) => {
    answers[tool] = fails(TOLD);
    expect(await endPut(ports().door, ANNA, PUT)).toMatchObject({ ok: false, error: expect.stringContaining('it is damaged') });
    expect(tools()).toEqual(calls);
  });
});

describe('what is got', () => {
  test('as a bundle is made by git while the agent\'s calls wait, kept before, passed out as a file and cleared away', async () => {
    const { door, kept } = ports();
    expect(await beginGet(door, ANNA, GET)).toEqual({ ok: true, value: { transfer: 't-2', size: 9, packed: null } });
    expect(tools()).toEqual(['restore.point', 'project.bundle', 'project.get', 'project.clear']);
    expect(ran[1]!.permit.plan).toMatchObject({ kind: 'process', root: 'tools', cwd: '/workspace/app', bindings: [{ path: '/workspace/app', access: 'rw' }] });
    expect(words('project.get')).toBe('/workspace lift app/.holdfast-bundle-c-own1 --to /transfer/t-2');
    expect(words('project.clear')).toBe('/workspace delete app/.holdfast-bundle-c-own1 --recursive --keep-time');
    expect(ran[2]!.permit.plan.bindings).toEqual([{ path: '/workspace', access: 'ro' }, { path: '/transfer', access: 'rw' }]);
    expect(kept.every(({ actor }) => actor.id === 'anna')).toBe(true);
    expect([letGo, transfers]).toEqual([1, ['begun']]);
  });

  test('as a tar archive needs no turn, no git and no restore point', async () => {
    busy = true;
    agent = DEMO;
    answers['project.get'] = says({ entries: 2, bytes: 9, left: 0 });
    expect(await beginGet(ports().door, ANNA, { ...GET, bundle: false })).toMatchObject({ ok: true, value: { size: 9, packed: { entries: 2 } } });
    expect(tools()).toEqual(['project.get']);
  });

  test('is refused while the agent writes, and for one without git', async () => {
    busy = true;
    expect(await beginGet(ports().door, ANNA, GET)).toMatchObject({ ok: false, error: 'cannot get that: demo is writing now' });
    agent = DEMO;
    expect(await beginGet(ports().door, ANNA, GET)).toMatchObject({ ok: false, error: 'cannot get that: agents of type task have no git; get it as a tar archive, without --bundle' });
    expect(ran).toEqual([]);
  });

  test('and fails: nothing stays, neither in the workspace nor on its way', async () => {
    answers['project.bundle'] = { exit: { code: 128 }, stderr: Buffer.from('fatal: not a git repository\n') };
    answers['project.clear'] = fails({ errno: 'ENOENT', path: 'app/x', what: 'does not exist' });
    expect(await beginGet(ports().door, ANNA, GET)).toMatchObject({ ok: false, error: 'cannot get that: git ended with exit code 128: fatal: not a git repository' });
    expect([tools().at(-1), transfers]).toEqual(['project.clear', []]);
    answers['project.bundle'] = {};
    answers['project.get'] = fails({ errno: 'EFBIG', path: 'app/x', what: 'is more than can be got at once' });
    expect(await beginGet(ports().door, ANNA, GET)).toMatchObject({ ok: false, error: expect.stringContaining('EFBIG') });
    expect([tools().at(-1), transfers, letGo]).toEqual(['project.clear', ['begun', 'ended t-2'], 2]);
  });

  test('of a place that cannot be shown to a program as a whole is refused', async () => {
    expect(await beginGet(ports().door, ANNA, { ...GET, path: 'a*' })).toMatchObject({ ok: false, error: 'cannot get that: /workspace/a* cannot be shown to a program as a whole' });
  });
});
