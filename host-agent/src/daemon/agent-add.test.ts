// SPDX-License-Identifier: Apache-2.0
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { declare, runUnder } from '../declare.ts';
import { EMPTY_BOOK } from '../capability/grant.ts';
import type { Declared, DeclaredAgent } from '../config/declared.ts';
import { openAgentRuns } from './agent-runs.ts';
import { answerOperator } from '../door/operator-door.ts';
import type { OperatorDoorPorts } from '../door/operator-ports.ts';
import { agentFileLayer } from '../effects/agent-file-layer.ts';
import { foreseeAgents } from '../effects/agent-layers.ts';
import { pathsUnder } from '../effects/paths.ts';
import { noManager } from '../effects/systemctl.ts';
import type { AgentName, GrantId, OperatorName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { EntryDraft } from '../ledger/entry.ts';

// The operators' door with the real layer of files and the real holdfast-declare; only systemd, which would run it, is not there.

const SHIPPED = new URL('../../../rootfs-overlay/usr/lib/holdfast/', import.meta.url).pathname;
let root = '';
let declared: Declared;
let drafts: EntryDraft[] = [];
let systemdFails: string | null = null;
/** How often holdfast-declare ran for the door. */
let runs = 0;
let ports: OperatorDoorPorts;

beforeEach(() => {
  process.umask(0o022);
  root = mkdtempSync('/tmp/holdfast-add-');
  const paths = pathsUnder(root);
  for (const part of ['types', 'agents.d']) {
    mkdirSync(join(root, 'usr/lib/holdfast', part), { recursive: true });
    for (const name of readdirSync(join(SHIPPED, part))) writeFileSync(join(root, 'usr/lib/holdfast', part, name), readFileSync(join(SHIPPED, part, name)));
  }
  for (const layer of paths.agentLayers) mkdirSync(layer, { recursive: true });
  chmodSync(paths.operatorAgentLayer, 0o755);
  drafts = [];
  systemdFails = null;
  runs = 0;
  declared = declare(runUnder(root, noManager()));
  const fine = async (): Promise<Result<null>> => accept(null);
  ports = {
    version: '0',
    boot: 'boot',
    operators: () => [{ name: 'anna' as OperatorName, uid: 30_200, roles: ['admin'] }],
    declared: () => declared,
    ceilingOf: () => refuse('not asked here'),
    authorityOf: () => refuse('not asked here'),
    restore: { take: () => refuse('not asked here') } as unknown as OperatorDoorPorts['restore'],
    transfers: {} as OperatorDoorPorts['transfers'],
    images: {} as OperatorDoorPorts['images'],
    now: () => 0,
    newGrantId: () => 'g' as GrantId,
    record: async (draft) => {
      drafts.push(draft);
      return accept(null);
    },
    grants: () => EMPTY_BOOK,
    replaceGrants: () => accept(null),
    endGrant: () => accept(null),
    requests: () => [],
    replaceRequests: () => undefined,
    runs: openAgentRuns([], { onEnded: () => undefined, onStarted: () => undefined, keep: () => undefined }),
    startIsOver: () => undefined,
    lastStop: new Map(),
    confined: () => accept(null),
    keepBeforeRun: async () => accept({ data: {}, letGo: () => undefined }),
    units: { startUnit: fine, stopUnit: fine, unitState: async () => accept({ active: 'inactive' }) },
    files: agentFileLayer(paths.operatorAgentLayer),
    foresee: (agent, text) => foreseeAgents(root, paths, declared, ports.files.pathOf(agent), text),
    redeclare: async () => {
      if (systemdFails !== null) return refuse(systemdFails);
      runs += 1;
      declared = declare(runUnder(root, noManager()));
      return accept(declared);
    },
    oneAtATime: (work) => work(),
    posture: async () => [],
    usage: {} as OperatorDoorPorts['usage'],
    settings: {} as OperatorDoorPorts['settings'],
    shells: { list: () => [], watch: async () => ({ ok: false as const, error: 'none' }) },
    sessionsOf: () => 0,
  };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const add = (file: string, replace = false): ReturnType<typeof answerOperator> => answerOperator(ports, 30_200, { op: 'agent-add', file, replace });
const remove = (agent: string): ReturnType<typeof answerOperator> => answerOperator(ports, 30_200, { op: 'agent-remove', agent });
const names = (): readonly string[] => declared.agents.map(({ name }) => name).sort();
const said = (): readonly unknown[] => drafts.map(({ data }) => data['what']);
const file = (name: string): string => ports.files.pathOf(name as AgentName);

test('an agent comes and goes by its file, and both are on record with the person', async () => {
  expect(await add('name: reporter\ntype: task\n')).toEqual({ ok: true, value: { agent: 'reporter' } });
  expect(names()).toEqual(['demo', 'reporter']);
  expect(readFileSync(file('reporter'), 'utf8')).toBe('name: reporter\ntype: task\n');
  expect(await remove('reporter')).toEqual({ ok: true, value: null });
  expect(names()).toEqual(['demo']);
  expect(said()).toEqual(['agent file added', 'agent file removed']);
  expect(drafts.every(({ actor }) => actor.type === 'user' && actor.id === 'anna')).toBe(true);
});

const BAD: readonly (readonly [string, string, string])[] = [
  ['an unknown key', 'name: reporter\ntype: task\ncolour: red\n', 'line 3'],
  ['an unknown type', 'name: reporter\ntype: emperor\n', 'line 2: unknown type "emperor"'],
  ['more than the type may hold', 'name: reporter\ntype: task\ncapabilities:\n  - fs:write:/etc/**\n', 'line 4'],
];

test.each(BAD)('%s: the line is named, and nothing has happened', async (_what, text, why) => {
  const told = await add(text);
  expect(told).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  expect(told).toMatchObject({ error: expect.stringContaining('the file of reporter is refused, and nothing is changed') });
  expect(existsSync(file('reporter'))).toBe(false);
  expect([names(), said(), runs]).toEqual([['demo'], [], 0]);
});

test.each(BAD)('%s, in place of a good file: its agent is never withdrawn, not for a moment', async (_what, text, why) => {
  await add('name: reporter\ntype: task\n');
  const before = [readFileSync(file('reporter'), 'utf8'), said(), runs];
  expect(await add(text, true)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  expect([readFileSync(file('reporter'), 'utf8'), said(), runs]).toEqual(before);
  expect(names()).toEqual(['demo', 'reporter']);
});

test('a name that another file has, and a file that hides another name, would take that agent away: refused before anything is touched', async () => {
  const image = (name: string, text: string): void => writeFileSync(join(pathsUnder(root).agentLayers[0]!, name), text);
  image('other.yaml', 'name: reporter\ntype: task\n');
  image('writer.yaml', 'name: scribe\ntype: task\n');
  declared = declare(runUnder(root, noManager()));
  expect(names()).toEqual(['demo', 'reporter', 'scribe']);
  expect(await add('name: reporter\ntype: dev\n', true)).toMatchObject({ ok: false, error: expect.stringMatching(/line 1: the agent name "reporter" is also used in .*other\.yaml:1/) });
  expect(await add('name: writer\ntype: task\n')).toMatchObject({ ok: false, error: expect.stringContaining('scribe would no longer be declared') });
  expect([names(), said(), runs]).toEqual([['demo', 'reporter', 'scribe'], [], 0]);
});

test.each(BAD)('%s, unforeseen: holdfast-declare has the last word, and the file is taken back', async (_what, text, why) => {
  ports = { ...ports, foresee: () => ({ agents: [...declared.agents, { name: 'reporter' } as DeclaredAgent], problems: [] }) };
  expect(await add(text)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  expect(existsSync(file('reporter'))).toBe(false);
  expect([names(), declared.problems]).toEqual([['demo'], []]);
  expect(said()).toEqual(['agent file added', 'agent file withdrawn']);
});

test('a removed agent is gone, or it is said why not', async () => {
  await add('name: reporter\ntype: task\n');
  const { redeclare } = ports;
  ports = { ...ports, redeclare: async () => accept(declared) };
  expect(await remove('reporter')).toMatchObject({ ok: false, error: expect.stringContaining('reporter is still declared') });
  // A run that began before the file went says nothing yet.
  await add('name: reporter\ntype: task\n', true);
  let turn = 0;
  ports = { ...ports, redeclare: async () => ((turn += 1) === 1 ? accept(declared) : redeclare()) };
  expect([await remove('reporter'), turn, names()]).toEqual([{ ok: true, value: null }, 2, ['demo']]);
});

test('the image’s agent comes back when the file in its place is removed, and that is told', async () => {
  expect(await add('name: demo\ntype: dev\n', true)).toMatchObject({ ok: true });
  expect(await remove('demo')).toMatchObject({ ok: false, error: expect.stringContaining('the file of demo is removed, but an agent of this name is declared by the image') });
  expect([existsSync(file('demo')), declared.agents.map(({ type }) => type), runs]).toEqual([false, ['task'], 2]);
});

test.each([
  ['no YAML', 'name: [', 'line 1'],
  ['no name', 'type: task\n', 'name'],
  ['a name that is a path', 'name: ../../etc/x\n', 'line 1: an agent name must start with a-z'],
  ['a name twice', 'name: a\nname: b\n', 'line 2'],
  ['an anchor', 'name: &a x\n', 'line 1'],
])('%s: refused before anything is touched', async (_what, text, why) => {
  expect(await add(text)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  expect(drafts).toEqual([]);
  expect(readdirSync(pathsUnder(root).operatorAgentLayer)).toEqual([]);
});

test('what is there is replaced only when that is asked, and comes back when the new file is bad', async () => {
  await add('name: reporter\ntype: task\n');
  expect(await add('name: reporter\ntype: dev\n')).toMatchObject({ ok: false, error: expect.stringContaining('say --replace') });
  expect(await add('name: reporter\ntype: emperor\n', true)).toMatchObject({ ok: false });
  expect(declared.agents.find(({ name }) => name === 'reporter')?.type).toBe('task');
  expect(await add('name: reporter\ntype: dev\n', true)).toMatchObject({ ok: true });
  expect(declared.agents.find(({ name }) => name === 'reporter')?.type).toBe('dev');
});

test('without systemd nothing is left behind', async () => {
  systemdFails = 'cannot start holdfast-declare.service: no bus';
  expect(await add('name: reporter\ntype: task\n')).toMatchObject({ ok: false, error: expect.stringContaining('no bus') });
  expect(existsSync(file('reporter'))).toBe(false);
});

test('an agent of the image is not the operators’ to remove; nobody is a clear no', async () => {
  expect(await remove('demo')).toMatchObject({ ok: false, error: expect.stringContaining('declared by the image') });
  expect(await remove('nobody')).toMatchObject({ ok: false, error: expect.stringContaining('no agent is named nobody') });
  expect(names()).toEqual(['demo']);
});
