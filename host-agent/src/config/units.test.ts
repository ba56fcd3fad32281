// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AgentId, parseAgentName, parsePackName } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import { profilesOf } from './agent-type.ts';
import type { DeclaredAgent } from './declared.ts';
import { agentOfFolder, DROP_IN, isDropInFolder, SECRETS_DROP_IN, unitsOf } from './units.ts';

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const AGENT: DeclaredAgent = {
  name: must(parseAgentName('night_watch')),
  pack: must(parsePackName('ops')),
  id: 'agent.ops.night_watch.v1' as AgentId,
  type: 'task',
  mode: 'mediated',
  uid: 30107,
  program: ['/usr/lib/holdfast/demo/agent', '--greet', 'it\'s "100%" for $USER; \\o/'],
  start: 'manual',
  capabilities: [],
  ceiling: { allow: [], deny: [] },
  root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
  limits: { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 },
  workspace: '/var/lib/holdfast-workspaces/night_watch',
  peers: { agent: '', remote: '' },
  peerLabels: { agent: 'unconfined', remote: 'unconfined' },
  callLabel: '',
};
const FACTS = {
  agent: AGENT,
  slice: { memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200, ioMax: 100 * 1024 ** 2, diskMax: 1024 ** 3 },
  profiles: profilesOf('task'),
  groups: [],
  door: '/run/holdfast/agents/night_watch',
  own: ['/var/lib/holdfast-restore/night_watch', '/var/lib/holdfast-transfer/night_watch', '/var/lib/holdfast-images/night_watch/new'],
  images: '/var/lib/holdfast-images/night_watch',
  trust: '/run/holdfast-egress-trust',
};

test('the drop-ins of an agent with a program are those of the golden file', () => {
  const text = unitsOf(FACTS).map((unit) => `==> ${unit.path}\n${unit.text}`).join('\n');
  expect(text).toBe(readFileSync(new URL('testdata/units.golden', import.meta.url), 'utf8'));
});

test('an agent without a program has no drop-in that would start one', () => {
  const paths = unitsOf({ ...FACTS, agent: { ...AGENT, program: null } }).map(({ path }) => path.split('/')[0]);
  expect(paths).toEqual(['agents-ops.slice.d', 'agents-ops-night_watch.slice.d', 'holdfast-quota@night_watch.service.d', 'holdfast-runner@night_watch.service.d']);
});

test('a mediated agent has its workspace read-only, its runner writes there, and neither sees another door (R103)', () => {
  const unit = (name: string): string => unitsOf(FACTS).find(({ path }) => path.startsWith(name))?.text ?? '';
  expect(unit('holdfast-agent@')).toContain('BindReadOnlyPaths=/var/lib/holdfast-workspaces/night_watch:/workspace\n');
  expect(unit('holdfast-agent@')).not.toMatch(/^BindPaths=/m);
  expect(unit('holdfast-runner@')).toContain('BindPaths=/var/lib/holdfast-workspaces/night_watch:/workspace\n');
  expect(unit('holdfast-runner@')).not.toContain('/run/holdfast/agents');
});

test('of /var a runner sees what its ceiling reaches, and what that denies is hidden', () => {
  const runner = (allow: readonly string[], deny: readonly string[], groups: readonly string[] = []) =>
    unitsOf({ ...FACTS, groups, agent: { ...AGENT, ceiling: { allow, deny } } }).find(({ path }) => path.startsWith('holdfast-runner@'))!.text;
  expect(runner(['fs:read:/etc/**', 'fs:write:/workspace/**', 'fs:read:/var/log'], [])).not.toMatch(/\/var\/log|TemporaryFileSystem|SupplementaryGroups/);
  expect(runner(['fs:read:/var/log/**', 'fs:write:/var/www/**'], [], ['adm'])).toContain('SupplementaryGroups=adm\nBindReadOnlyPaths=-/var/log\nBindPaths=-/var/www\n');
  expect(runner(['fs:read:/var/**', 'fs:write:/var/**'], ['fs:read:/var/lib/holdfast-ledger/**', 'fs:write:/var/log/**'])).toContain(
    'TemporaryFileSystem=\nTemporaryFileSystem=/run:ro /dev/shm:ro\nReadWritePaths=/var\nInaccessiblePaths=-/var/lib/holdfast-ledger\n',
  );
});

test('a contained agent runs under the profile that the kernel records by, writes its workspace, and ends with its recorder (R103)', () => {
  const contained = { ...AGENT, mode: 'contained' as const, profile: 'holdfast-agent-task-contained' };
  const text = unitsOf({ ...FACTS, agent: contained }).find(({ path }) => path.startsWith('holdfast-agent@'))?.text ?? '';
  expect(text).toContain('[Unit]\nBindsTo=holdfast-watch.service\nAfter=holdfast-watch.service\n');
  expect(text).toContain('AppArmorProfile=holdfast-agent-task-contained\n');
  expect(text).toContain('BindPaths=/var/lib/holdfast-workspaces/night_watch:/workspace\n');
});

test('an agent that lives in a container has the tool root for its file system, its own profile and the same ring', () => {
  const text = (agent: DeclaredAgent): readonly string[] => unitsOf({ ...FACTS, agent }).find(({ path }) => path.startsWith('holdfast-agent@'))!.text.split('\n');
  const plain = text(AGENT);
  const lives = text({ ...AGENT, home: 'tools', profile: 'holdfast-home' });
  expect(lives.filter((line) => !plain.includes(line))).toEqual([
    'AppArmorProfile=holdfast-home', 'RootDirectory=/usr/lib/holdfast/toolroot', 'ExecPaths=+/workspace', 'MountAPIVFS=yes', 'BindReadOnlyPaths=/etc/passwd /etc/group',
    'BindReadOnlyPaths=/usr/lib/holdfast/bin /usr/lib/holdfast/lib',
  ]);
  expect(plain.filter((line) => !lives.includes(line))).toEqual(['AppArmorProfile=holdfast-agent-task']);
  const brought = `sha256-${'0'.repeat(64)}`;
  const other = text({ ...AGENT, home: brought, profile: 'holdfast-home' });
  const tree = `/var/lib/holdfast-images/night_watch/${brought}`;
  expect(other.filter((line) => !lives.includes(line))).toEqual([`RootDirectory=${tree}`, 'ExecPaths=+/']);
});

describe('an agent whose type can be granted a network', () => {
  const NET = { rules: [], quota: { bytesPerDay: 1, requestsPerDay: 1 } };
  const secret = (name: string, placeholder = 'sk-ant-api03-x') => ({ name, placeholder, agents: [], hosts: [], header: { name: 'x-api-key', template: '{}' } });
  const online: DeclaredAgent = { ...AGENT, net: NET, secrets: [secret('ANTHROPIC_API_KEY', 'sk-"100%"-$x\\')] };
  const files = (agent: DeclaredAgent) => new Map(unitsOf({ ...FACTS, agent }).map(({ path, text }) => [path, text.split('\n')]));
  const UNIT = 'holdfast-agent@night_watch.service.d';

  test('has the loopback of its own namespace, a relay that listens there in its slice, and the environment that sends programs to it', () => {
    const [plain, unit] = [files(AGENT).get(`${UNIT}/${DROP_IN}`)!, files(online).get(`${UNIT}/${DROP_IN}`)!];
    const more = unit.filter((line) => !plain.includes(line));
    expect(more.filter((line) => !line.startsWith('Environment='))).toEqual([
      '[Unit]', 'Wants=holdfast-relay@night_watch.socket', 'After=holdfast-relay@night_watch.socket holdfast-egress.service',
      'RestrictAddressFamilies=AF_INET', 'IPAddressAllow=localhost', 'BindReadOnlyPaths=/run/holdfast-egress-trust',
    ]);
    expect(more).toEqual(expect.arrayContaining([
      'Environment="HTTPS_PROXY=http://127.0.0.1:3128"', 'Environment="https_proxy=http://127.0.0.1:3128"', 'Environment="NO_PROXY=localhost,127.0.0.1"',
      'Environment="NODE_USE_ENV_PROXY=1"', 'Environment="NODE_EXTRA_CA_CERTS=/run/holdfast-egress-trust/ca.pem"', 'Environment="SSL_CERT_FILE=/run/holdfast-egress-trust/ca-bundle.pem"',
    ]));
    expect(plain.filter((line) => !unit.includes(line))).toEqual([]);
    expect(files(online).get(`holdfast-relay@night_watch.service.d/${DROP_IN}`)).toEqual([expect.stringContaining('#'), '[Service]', 'Slice=agents-ops-night_watch.slice', '']);
  });

  test('finds placeholders in a file apart, written so that systemd reads exactly them', () => {
    expect(files(online).get(`${UNIT}/${SECRETS_DROP_IN}`)?.slice(1)).toEqual(['[Service]', 'Environment="ANTHROPIC_API_KEY=sk-\\"100%%\\"-$x\\\\"', '']);
    expect([...files({ ...online, secrets: [] }).keys()]).not.toContain(`${UNIT}/${SECRETS_DROP_IN}`);
    expect(files({ ...online, secrets: [] }).get(`${UNIT}/${DROP_IN}`)).toEqual(files(online).get(`${UNIT}/${DROP_IN}`));
  });

  test('has none of it without a program here, and none of it without a network whatever is bound to it', () => {
    const relays = (agent: DeclaredAgent) => [...files(agent).keys()].filter((path) => /relay|secrets/.test(path));
    expect(relays(online)).toHaveLength(2);
    expect([relays({ ...online, program: null }), relays({ ...online, net: null })]).toEqual([[], []]);
    expect([...files({ ...online, net: null }).values()].flat().join('\n')).toBe([...files(AGENT).values()].flat().join('\n'));
  });
});

test('only folders of agents and slices are ours to remove', () => {
  const ours = ['holdfast-agent@demo.service.d', 'holdfast-quota@demo.service.d', 'holdfast-relay@demo.service.d', 'holdfast-runner@a_1.service.d', 'agents-main.slice.d', 'agents-main-demo.slice.d'];
  const others = ['ssh.service.d', 'holdfastd.service.d', 'agents.slice.d', 'holdfast-agent@.service.d', 'holdfast-relay@.service.d', 'holdfast-relay@demo.socket.d', 'holdfast-agent@a-b.service.d',
    'agents-a-b-c.slice.d', 'x'];
  expect(ours.filter((name) => !isDropInFolder(name))).toEqual([]);
  expect(others.filter(isDropInFolder)).toEqual([]);
  expect(agentOfFolder('holdfast-runner@demo.service.d')).toBe('demo');
  expect(agentOfFolder('agents-main-demo.slice.d')).toBe(null);
});

test('what hides the restore points of all agents leaves its own to a runner that sees /var (R108)', () => {
  const ceiling = { allow: ['fs:read:/var/**', 'fs:write:/var/**'], deny: ['fs:read:/var/lib/holdfast-restore/**', 'fs:read:/var/lib/ssh/**'] };
  const runner = unitsOf({ ...FACTS, agent: { ...AGENT, ceiling } }).find(({ path }) => path.startsWith('holdfast-runner@'))!.text;
  expect(runner).toContain('TemporaryFileSystem=/var/lib/holdfast-restore:ro\n');
  expect(runner).not.toContain('InaccessiblePaths=-/var/lib/holdfast-restore');
  expect(runner).toContain('BindPaths=/var/lib/holdfast-restore/night_watch\n');
  expect(runner).toContain('InaccessiblePaths=-/var/lib/ssh\n');
});
