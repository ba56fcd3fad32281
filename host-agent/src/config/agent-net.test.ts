// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { isHostName } from '../egress/host-name.ts';
import type { AgentName } from '../identity/ids.ts';
import type { SecretBinding } from '../secret/binding.ts';
import { parseAgentFile } from './agent-file.ts';
import { parseAgentType, type AgentType } from './agent-type.ts';
import { bindSecrets } from './bind-secrets.ts';
import { capabilityJudge } from './capability-judge.ts';
import type { DeclaredAgent } from './declared.ts';
import { readBindings } from './read-bindings.ts';

const TYPE = `title: T
ceiling:
  allow: ["net:connect:*.example:443", "net:connect:plain.example:80", "secret:use:A_*", "model:use:*"]
  deny: ["net:connect:bad.example:443"]
capabilities: ["model:use:*"]
limits: {timeout: 1s, memory: 1M, tasks: 1, output: 1K, cost/day: "10.00", tokens/hour: 500k}
net:
  quota: {bytes: 1G, requests: 10k}
`;

function typeOf(text: string): AgentType {
  const parsed = parseAgentType('net', 'net.yaml', text, capabilityJudge);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.type;
}

const NET = typeOf(TYPE);
const QUIET = typeOf('title: Q\nceiling: {allow: ["process:list"], deny: []}\ncapabilities: []\nlimits: {timeout: 1s, memory: 1M, tasks: 1, output: 1K}\n');
const TYPES = new Map([['net', NET], ['quiet', { ...QUIET, name: 'quiet' }]]);

function parsed(text: string) {
  return parseAgentFile('x.yaml', text, TYPES, capabilityJudge);
}

test('what a file leaves out is the type’s', () => {
  expect(parsed('name: a\ntype: net\n')).toMatchObject({
    ok: true,
    agent: { net: { rules: [], quota: { bytesPerDay: 1024 ** 3, requestsPerDay: 10_000 } }, budget: { costPerDay: 10_000_000, tokensPerHour: 500_000 } },
  });
  expect(parsed('name: a\ntype: quiet\n')).toMatchObject({ ok: true, agent: { net: null, budget: { costPerDay: null, tokensPerHour: null } } });
});

test('what it says narrows it', () => {
  const text = `name: a
type: net
limits: {cost/day: "5.00", tokens/hour: 100k}
net:
  quota: {bytes: 10M, requests: "50"}
  hosts:
    api.example: {mode: inspect, methods: [GET, POST], paths: ["/v1/**", "/v1/"], response: 8M, upgrades: [websocket]}
    git.example: {}
`;
  expect(parsed(text)).toMatchObject({
    ok: true,
    agent: {
      budget: { costPerDay: 5_000_000, tokensPerHour: 100_000 },
      net: {
        quota: { bytesPerDay: 10 * 1024 ** 2, requestsPerDay: 50 },
        rules: [
          { host: 'api.example', mode: 'inspect', methods: ['GET', 'POST'], paths: ['/v1/**', '/v1/'], responseMax: 8 * 1024 ** 2, upgrades: ['websocket'] },
          { host: 'git.example', mode: 'tunnel', methods: null, paths: null, responseMax: 64 * 1024 ** 2, upgrades: [] },
        ],
      },
    },
  });
});

test.each<[string, string, string]>([
  ['more money than the type', 'limits: {cost/day: "10.01"}', "3: limits.cost/day may only narrow the type's $10.00"],
  ['more tokens', 'limits: {tokens/hour: 1M}', "3: limits.tokens/hour may only narrow the type's 500000"],
  ['money without cents', 'limits: {cost/day: 5}', '3: limits.cost/day must be text'],
  ['money that is no amount', 'limits: {cost/day: "5"}', '3: limits.cost/day: must be dollars and cents in quotes, such as "5.00"'],
  ['more bytes', 'net: {quota: {bytes: 2G}}', "3: net.quota.bytes may only narrow the type's 1024M"],
  ['more requests', 'net: {quota: {requests: 11k}}', "3: net.quota.requests may only narrow the type's 10000"],
  ['an unknown key', 'net: {proxy: x}', '3: unknown key "proxy" in net; remove it or correct its spelling'],
  ['a host with a port', 'net:\n  hosts:\n    a.example:443: {}', '5: "a.example:443" is no host: write its name in small letters, without a port, a final dot or *'],
  ['a host in capitals', 'net:\n  hosts:\n    A.example: {}', '5: "A.example" is no host: write its name in small letters, without a port, a final dot or *'],
  ['a pattern of hosts', 'net:\n  hosts:\n    "*.example": {}', '5: "*.example" is no host: write its name in small letters, without a port, a final dot or *'],
  ['paths in a tunnel', 'net:\n  hosts:\n    a.example:\n      mode: tunnel\n      paths: [/x]', '6: methods, paths and upgrades cannot be seen in a tunnel; leave `mode` out, or write inspect'],
  ['a path with dots', 'net:\n  hosts:\n    a.example:\n      paths:\n        - /x\n        - /x/../y', '8: its segment ".." matches nothing; ** must be a whole segment, and . and .. do not occur'],
  ['a path with a query', 'net: {hosts: {a.example: {paths: ["/x?y"]}}}', '3: net.hosts.a.example.paths[1]: must be a path such as /v1/** (no query)'],
  ['a method in small letters', 'net: {hosts: {a.example: {methods: [get]}}}', '3: net.hosts.a.example.methods[1]: must be a method in capital letters, such as GET'],
])('refused, with its line: %s', (_, lines, problem) => {
  const answer = parsed(`name: a\ntype: net\n${lines}\n`);
  expect(answer.ok ? [] : answer.problems.map(({ line, message }) => `${line}: ${message}`)).toContainEqual(problem);
});

test.each([['net: {}', 3], ['limits: {cost/day: "1.00"}', 3], ['limits:\n  tokens/hour: 1k', 4]])('an agent of a type without a network cannot say %j', (lines, line) => {
  expect(parsed(`name: a\ntype: quiet\n${lines}\n`)).toMatchObject({ ok: false, problems: [{ line, message: expect.stringContaining('no network') }] });
});

test.each([
  ['net without net:connect', TYPE.replace(/"net:connect[^"]*", /g, '')],
  ['net:connect without net', TYPE.replace(/net:\n.*\n/, '')],
])('a type is refused that says %s', (_, text) => {
  expect(parseAgentType('t', 't.yaml', text, capabilityJudge)).toMatchObject({ ok: false });
});

const AGENT = { name: 'a' as AgentName, type: 'net', capabilities: ['model:use:*'], ceiling: NET.ceiling, net: { rules: [{ host: 'x.example', mode: 'tunnel', methods: null, paths: null, responseMax: 1, upgrades: [] }], quota: NET.quota! }, secrets: [] } as unknown as DeclaredAgent;
const KEY: SecretBinding = {
  name: 'A_KEY',
  agents: ['a' as AgentName, 'b' as AgentName],
  hosts: [{ host: 'x.example', port: 443 }, { host: 'new.example', port: 443 }],
  header: { name: 'authorization', template: 'Bearer {}' },
  placeholder: 'sk-placeholder',
};

test('a binding gives the secret, its use and its hosts, all of them read', () => {
  const { agent, problems } = bindSecrets(AGENT, [KEY], capabilityJudge);
  expect(problems).toEqual([]);
  expect(agent.capabilities).toEqual(['model:use:*', 'net:connect:x.example:443', 'net:connect:new.example:443', 'secret:use:A_KEY']);
  expect(agent.secrets).toEqual([{ ...KEY, agents: ['a'] }]);
  expect(agent.net!.rules.map(({ host, mode }) => [host, mode])).toEqual([['x.example', 'inspect'], ['new.example', 'inspect']]);
});

test('a binding for others changes nothing', () => {
  expect(bindSecrets(AGENT, [{ ...KEY, agents: ['b' as AgentName] }], capabilityJudge)).toEqual({ agent: AGENT, problems: [] });
});

test('what lies beyond the ceiling is told with both and left out; the rest stands', () => {
  const wide = { ...KEY, hosts: [...KEY.hosts, { host: 'bad.example', port: 443 }, { host: 'x.example', port: 8443 }] };
  const { agent, problems } = bindSecrets(AGENT, [{ ...KEY, name: 'B_KEY' }, wide], capabilityJudge);
  expect(agent.secrets).toEqual([{ ...KEY, agents: ['a'] }]);
  expect(problems).toHaveLength(3);
  expect(problems[0]).toMatch(/^secret B_KEY is bound to agent a, whose type net may not use it: .*secret:use:A_\*/);
  expect(problems[1]).toMatch(/A_KEY is bound to agent a and bad\.example:443.*denies/);
  expect(problems[2]).toMatch(/A_KEY is bound to agent a and x\.example:8443.*\*\.example:443/);
});

const FILE = { v: 1, state: 'locked', bindings: [{ ...KEY }] };

test('published bindings are read, and refused whole where one is odd', () => {
  expect(readBindings(FILE)).toEqual({ ok: true, value: FILE });
  const odd: readonly unknown[] = [
    { ...FILE, v: 2 },
    { ...FILE, more: 1 },
    { ...FILE, bindings: [KEY, KEY] },
    ...[{ name: '*' }, { name: 'a:b' }, { agents: ['A'] }, { hosts: [{ host: '*', port: 443 }] }, { hosts: [{ host: 'x.example', port: 0 }] }, { header: { name: 'X-Key', template: '{}' } },
      { header: { name: 'x-key', template: 'none' } }, { header: { name: 'x-key', template: '{}\r\nx: y' } }, { placeholder: '' }, { value: 'oops' }].map((part) => ({ ...FILE, bindings: [{ ...KEY, ...part }] })),
  ];
  for (const value of odd) expect(readBindings(value), JSON.stringify(value)).toMatchObject({ ok: false });
});

test.each([
  ['a', true], ['a.example', true], ['xn--bcher-kva.example', true], ['10.0.0.1', true], ['my_host.internal', true], ['a-b.c', true], ['1.2.3.4.example', true], ['a'.repeat(63), true],
  ['', false], ['a.', false], ['.a', false], ['a..b', false], ['A.example', false], ['bücher.example', false], ['-a.example', false], ['a-.example', false], ['a b', false], ['a:1', false], ['[::1]', false],
  ['127.1', false], ['2130706433', false], ['0x7f.0.0.1', false], ['0177.0.0.1', false], ['256.1.1.1', false], ['a.1', false], ['a/b', false], ['a@b', false], ['a%2eb', false], ['*.a', false], ['a'.repeat(64), false],
  [Array.from({ length: 128 }, () => 'a').join('.'), false],
])('host %j: %j', (host, good) => {
  expect(isHostName(host)).toBe(good);
});
