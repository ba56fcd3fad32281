// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AgentType, callLabelOf, parseAgentType, profilesOf } from './agent-type.ts';
import { parseAgentFile } from './agent-file.ts';
import { capabilityJudge } from './capability-judge.ts';

const SHIPPED = new URL('../../../rootfs-overlay/usr/lib/holdfast/', import.meta.url);

function shippedTypes(): ReadonlyMap<string, AgentType> {
  const types = new Map<string, AgentType>();
  for (const file of readdirSync(new URL('types/', SHIPPED))) {
    const name = file.replace('.yaml', '');
    const parsed = parseAgentType(name, file, readFileSync(new URL(`types/${file}`, SHIPPED), 'utf8'), capabilityJudge);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    types.set(name, parsed.type);
  }
  return types;
}

const TYPES = shippedTypes();

function problemsOf(text: string): readonly string[] {
  const parsed = parseAgentFile('x.yaml', text, TYPES, capabilityJudge);
  return parsed.ok ? [] : parsed.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`);
}

test('the shipped types are these, and every shipped agent is of one of them', () => {
  expect([...TYPES.keys()].sort()).toEqual(['dev', 'monitor', 'security', 'system', 'task']);
  for (const file of readdirSync(new URL('agents.d/', SHIPPED))) {
    const parsed = parseAgentFile(file, readFileSync(new URL(`agents.d/${file}`, SHIPPED), 'utf8'), TYPES, capabilityJudge);
    expect(parsed.ok ? [] : parsed.problems).toEqual([]);
  }
});

test('a task agent holds its workspace and a look at the machine, and no program (R4)', () => {
  expect(TYPES.get('task')?.capabilities).toEqual([
    'fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'fs:delete:/workspace/**', 'process:list', 'host:metrics',
    'container:run:tools', 'container:logs:*', 'container:stop:*',
  ]);
  expect(TYPES.get('dev')?.capabilities).toContain('process:run:*');
});

test('no shipped type can ever write the machine or read an account secret; only `system` writes named places outside its workspace', () => {
  for (const { name, ceiling } of TYPES.values()) {
    const named = name === 'system' ? ['fs:write:/var/www/**', 'fs:write:/etc/nginx/**'] : [];
    for (const capability of ['fs:write:/var/www/**', 'fs:write:/etc/nginx/**']) {
      expect(capabilityJudge.within(ceiling, capability).ok, `${name} ${capability}`).toBe(named.includes(capability));
    }
    const never = [
      'fs:write:/etc/**', 'fs:write:/etc/passwd', 'fs:write:/usr/share/x', 'fs:read:/etc/shadow', 'fs:read:/run/**', 'fs:delete:/**', 'fs:write:/boot/x',
      'fs:write:/var/lib/holdfast-ledger/x', 'fs:read:/var/lib/holdfast-workspaces/other/x', 'service:stop:ssh.service', 'service:restart:holdfastd.service', 'agent:start',
    ];
    for (const capability of never) expect(capabilityJudge.within(ceiling, capability).ok, `${name} ${capability}`).toBe(false);
    const runs = ['security', 'monitor'].includes(name) ? [] : ['process:run:git', 'fs:read:/usr/lib/os-release'];
    for (const capability of ['fs:write:/workspace/a/b', ...runs]) {
      expect(capabilityJudge.within(ceiling, capability).ok).toBe(true);
    }
  }
});

test('what a file leaves out is the type’s, and what it says narrows it', () => {
  const parsed = parseAgentFile('x.yaml', 'name: a_1\ntype: task\n', TYPES, capabilityJudge);
  expect(parsed.ok && parsed.agent).toMatchObject({
    name: 'a_1', pack: 'main', version: 1, mode: 'mediated', start: 'manual', program: null, line: 1,
    limits: { timeoutMs: 60_000, memoryMax: 512 * 1024 ** 2, tasksMax: 64, outputMax: 256 * 1024 },
    slice: { memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200, ioMax: 100 * 1024 ** 2, diskMax: 1024 ** 3 },
  });
  const narrow = 'name: a\ntype: task\npack: night\nversion: 3\nmode: mediated\nstart: boot\nprogram: [/usr/bin/true, --x]\n'
    + 'capabilities: ["fs:read:/workspace/in/**"]\nlimits: {timeout: 5s, memory: 64M, tasks: 4, output: 8K}\n'
    + 'slice: {memory: 1G, tasks: 50, cpu: 50%}\n';
  const narrowed = parseAgentFile('x.yaml', narrow, TYPES, capabilityJudge);
  expect(narrowed.ok && narrowed.agent).toMatchObject({
    pack: 'night', version: 3, start: 'boot', program: ['/usr/bin/true', '--x'], capabilities: ['fs:read:/workspace/in/**'],
    limits: { timeoutMs: 5000, memoryMax: 64 * 1024 ** 2, tasksMax: 4, outputMax: 8192 },
    slice: { memoryMax: 1024 ** 3, tasksMax: 50, cpuPercent: 50 },
  });
});

test('a dev agent may be contained, with a program (R103)', () => {
  const parsed = parseAgentFile('x.yaml', 'name: a\ntype: dev\nmode: contained\nprogram: [/usr/bin/sh]\n', TYPES, capabilityJudge);
  expect(parsed.ok && parsed.agent.mode).toBe('contained');
});

const HEAD = 'name: a\ntype: task\n';
const REFUSED: readonly (readonly [string, string, string | RegExp])[] = [
  ['an unknown key', `${HEAD}uid: 0\n`, 'x.yaml:3: unknown key "uid"; remove it or correct its spelling'],
  ['an unknown key deeper', `${HEAD}limits:\n  cpu: 1\n`, 'x.yaml:4: unknown key "cpu" in limits; remove it or correct its spelling'],
  ['no name', 'type: task\n', 'x.yaml:1: name is missing'],
  ['a name with a dash', 'type: task\nname: a-b\n', /^x\.yaml:2: an agent name must start with a-z/],
  ['a pack with a dash', `${HEAD}pack: a-b\n`, /^x\.yaml:3: a pack name must start with a-z/],
  ['a version of none', `${HEAD}version: 0\n`, /^x\.yaml:3: version /],
  ['half a version', `${HEAD}version: 1.5\n`, /^x\.yaml:3: version /],
  ['an unknown type', 'name: a\n\ntype: storage\n', 'x.yaml:3: unknown type "storage"; known types: dev, monitor, security, system, task'],
  ['contained, of a type that cannot be', `${HEAD}mode: contained\nprogram: [/usr/bin/sh]\n`, /^x\.yaml:3: agents of type task cannot be contained, but mediated$/],
  ['contained without hands here', 'name: a\ntype: dev\nmode: contained\n', /^x\.yaml:3: mode `contained` needs a `program`/],
  ['another mode', `${HEAD}mode: free\n`, 'x.yaml:3: mode must be "mediated" or "contained"'],
  ['a bad start', `${HEAD}start: always\n`, 'x.yaml:3: start must be "boot" or "manual"'],
  ['a container without a program', `${HEAD}container: tools\n`, /^x\.yaml:3: there is no `program` to run in a container/],
  ['an image that is not there', `${HEAD}program: [/usr/bin/true]\ncontainer: other\n`, /^x\.yaml:4: "other" names no image/],
  ['a start without a program', `${HEAD}start: boot\n`, /^x\.yaml:3: there is no `program` to start at boot/],
  ['a program as text', `${HEAD}program: /usr/bin/env\n`, 'x.yaml:3: program must be a list'],
  [
    'a program outside the image',
    `${HEAD}program: [/workspace/evil]\n`,
    /^x\.yaml:3: the program must be an absolute path of the image below \/usr/,
  ],
  ['a program that climbs', `${HEAD}program: [/usr/../var/x]\n`, /^x\.yaml:3: the program must be an absolute path/],
  ['a program with a prefix of systemd', `${HEAD}program: ["+/usr/bin/id"]\n`, /^x\.yaml:3: the program must be an absolute path/],
  [
    'an argument with a newline',
    `${HEAD}program:\n  - /usr/bin/id\n  - "x\\nUser=root"\n`,
    'x.yaml:5: an argument cannot hold control characters',
  ],
  ['a capability that is none', `${HEAD}capabilities:\n  - process:list\n  - everything\n`, /^x\.yaml:5: .*everything/],
  [
    'a capability outside the ceiling',
    `${HEAD}capabilities:\n  - fs:write:/etc/**\n`,
    /^x\.yaml:4: cannot hold fs:write:\/etc\/\*\*: it is not inside the type's ceiling/,
  ],
  ['a capability twice', `${HEAD}capabilities: [process:list, process:list]\n`, 'x.yaml:3: "process:list" stands here a second time'],
  ['a wider limit', `${HEAD}limits:\n  timeout: 1h\n`, "x.yaml:4: limits.timeout may only narrow the type's 60s"],
  ['a wider slice', `${HEAD}slice: {cpu: 400%}\n`, "x.yaml:3: slice.cpu may only narrow the type's 200%"],
  ['a number for a duration', `${HEAD}limits: {timeout: 30}\n`, 'x.yaml:3: limits.timeout must be text'],
  ['a size without its unit', `${HEAD}limits: {memory: "512"}\n`, 'x.yaml:3: limits.memory: must be a size such as 512M (K, M or G)'],
  ['zero tasks', `${HEAD}limits: {tasks: 0}\n`, 'x.yaml:3: limits.tasks is smaller than allowed (at least 1)'],
];

describe('refused with file and line', () => {
  test.each(REFUSED)('%s', (_, text, problem) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });
});

const TYPE = 'title: t\nceiling:\n  allow:\n    - fs:read:/a\n  deny: []\ncapabilities:\n  - fs:read:/a\n'
  + 'limits: {timeout: 1s, memory: 1M, tasks: 1, output: 1K}\n';

test.each([
  ['a capability above its own ceiling', TYPE.replace('  - fs:read:/a\nlimits', '  - fs:read:/b\nlimits'), 7],
  ['a ceiling that cannot be read', TYPE.replace('    - fs:read:/a', '    - fs'), 4],
  ['more output than a line of the runner holds', TYPE.replace('output: 1K', 'output: 1M'), 8],
  ['a profile of its choice', `${TYPE}profiles: {call: unconfined}\n`, 9],
  ['a mode that nobody keeps', `${TYPE}modes: [free]\n`, 9],
])('a type with %s is refused at its line', (_, text, line) => {
  expect(parseAgentType('t', 't.yaml', TYPE, capabilityJudge).ok).toBe(true);
  const parsed = parseAgentType('t', 't.yaml', text, capabilityJudge);
  expect(parsed.ok ? [] : parsed.problems.map((p) => p.line)).toEqual([line]);
});

test('the label of a call is written as the kernel prints it: sorted, whatever the exec rule said', () => {
  expect(callLabelOf(profilesOf('t')))
    .toBe('holdfast-call-t//&holdfast-runner-t (enforce)');
});
