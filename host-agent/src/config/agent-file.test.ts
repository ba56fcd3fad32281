// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AgentType, callLabelOf, parseAgentType } from './agent-type.ts';
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

test('the shipped types are task and dev, and every shipped agent is of one of them', () => {
  expect([...TYPES.keys()].sort()).toEqual(['dev', 'task']);
  for (const file of readdirSync(new URL('agents.d/', SHIPPED))) {
    const parsed = parseAgentFile(file, readFileSync(new URL(`agents.d/${file}`, SHIPPED), 'utf8'), TYPES, capabilityJudge);
    expect(parsed.ok ? [] : parsed.problems).toEqual([]);
  }
});

test('a task agent holds its workspace and a look at the machine, and no program (R4)', () => {
  expect(TYPES.get('task')?.capabilities).toEqual([
    'fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'fs:delete:/workspace/**', 'process:list', 'host:metrics',
  ]);
  expect(TYPES.get('dev')?.capabilities).toContain('process:run:*');
});

test('no shipped type can ever write outside its workspace or read an account secret', () => {
  for (const { ceiling } of TYPES.values()) {
    const never = ['fs:write:/etc/nginx/x', 'fs:write:/usr/share/x', 'fs:read:/etc/shadow', 'fs:read:/var/log/**', 'fs:delete:/**'];
    for (const capability of never) expect(capabilityJudge.within(ceiling, capability).ok).toBe(false);
    for (const capability of ['fs:write:/workspace/a/b', 'fs:read:/usr/lib/os-release', 'process:run:git']) {
      expect(capabilityJudge.within(ceiling, capability).ok).toBe(true);
    }
  }
});

test('what a file leaves out is the type’s, and what it says narrows it', () => {
  const parsed = parseAgentFile('x.yaml', 'name: a_1\ntype: task\n', TYPES, capabilityJudge);
  expect(parsed.ok && parsed.agent).toMatchObject({
    name: 'a_1', pack: 'main', mode: 'mediated', start: 'manual', program: null, line: 1,
    limits: { timeoutMs: 60_000, memoryMax: 512 * 1024 ** 2, tasksMax: 64, outputMax: 256 * 1024 },
    slice: { memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200 },
  });
  const narrow = 'name: a\ntype: task\npack: night\nmode: mediated\nstart: boot\nprogram: [/usr/bin/true, --x]\n'
    + 'capabilities: ["fs:read:/workspace/in/**"]\nlimits: {timeout: 5s, memory: 64M, tasks: 4, output: 8K}\n'
    + 'slice: {memory: 1G, tasks: 50, cpu: 50%}\n';
  const narrowed = parseAgentFile('x.yaml', narrow, TYPES, capabilityJudge);
  expect(narrowed.ok && narrowed.agent).toMatchObject({
    pack: 'night', start: 'boot', program: ['/usr/bin/true', '--x'], capabilities: ['fs:read:/workspace/in/**'],
    limits: { timeoutMs: 5000, memoryMax: 64 * 1024 ** 2, tasksMax: 4, outputMax: 8192 },
    slice: { memoryMax: 1024 ** 3, tasksMax: 50, cpuPercent: 50 },
  });
});

const HEAD = 'name: a\ntype: task\n';
const REFUSED: readonly (readonly [string, string, string | RegExp])[] = [
  ['an unknown key', `${HEAD}uid: 0\n`, 'x.yaml:3: unknown key "uid"; remove it or correct its spelling'],
  ['an unknown key deeper', `${HEAD}limits:\n  cpu: 1\n`, 'x.yaml:4: unknown key "cpu" in limits; remove it or correct its spelling'],
  ['no name', 'type: task\n', 'x.yaml:1: name is missing'],
  ['a name with a dash', 'type: task\nname: a-b\n', /^x\.yaml:2: an agent name must start with a-z/],
  ['a pack with a dash', `${HEAD}pack: a-b\n`, /^x\.yaml:3: a pack name must start with a-z/],
  ['an unknown type', 'name: a\n\ntype: system\n', 'x.yaml:3: unknown type "system"; known types: dev, task'],
  ['contained', `${HEAD}mode: contained\n`, /^x\.yaml:3: mode `contained` cannot be honest until the kernel records .* planned/],
  ['another mode', `${HEAD}mode: free\n`, 'x.yaml:3: mode must be `mediated`'],
  ['a bad start', `${HEAD}start: always\n`, 'x.yaml:3: start must be "boot" or "manual"'],
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
  + 'limits: {timeout: 1s, memory: 1M, tasks: 1, output: 1K}\n'
  + 'profiles: {agent: holdfast-agent-t, runner: holdfast-runner-t, call: holdfast-call-t}\n';

test.each([
  ['a capability above its own ceiling', TYPE.replace('  - fs:read:/a\nlimits', '  - fs:read:/b\nlimits'), 7],
  ['a ceiling that cannot be read', TYPE.replace('    - fs:read:/a', '    - fs'), 4],
  ['more output than a line of the runner holds', TYPE.replace('output: 1K', 'output: 1M'), 8],
  ['a profile that is not ours', TYPE.replace('holdfast-call-t', 'unconfined'), 9],
])('a type with %s is refused at its line', (_, text, line) => {
  expect(parseAgentType('t', 't.yaml', TYPE, capabilityJudge).ok).toBe(true);
  const parsed = parseAgentType('t', 't.yaml', text, capabilityJudge);
  expect(parsed.ok ? [] : parsed.problems.map((p) => p.line)).toEqual([line]);
});

test('the label of a call is written as the kernel prints it: sorted, whatever the exec rule said', () => {
  expect(callLabelOf({ agent: 'holdfast-agent-t', runner: 'holdfast-runner-t', call: 'holdfast-call-t' }))
    .toBe('holdfast-call-t//&holdfast-runner-t (enforce)');
});
