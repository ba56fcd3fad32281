// SPDX-License-Identifier: Apache-2.0
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readDeclaredAgents, readDeclaredOperators, watchFile } from './declared-files.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync('/tmp/holdfast-declared-');
  path = join(dir, 'agents.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const AGENT = {
  name: 'demo', pack: 'main', id: 'agent.main.demo.v1', type: 'task', mode: 'mediated', uid: 30_100, program: null, start: 'manual', capabilities: ['process:list'],
  ceiling: { allow: ['process:list'], deny: [] }, limits: { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 },
  workspace: '/w', peers: { agent: '/a', remote: '/b' }, peerLabels: { agent: 'm', remote: 'n' }, callLabel: 'l',
  net: { rules: [{ host: 'a.example', mode: 'inspect', methods: ['GET'], paths: null, responseMax: 1, upgrades: [] }], quota: { bytesPerDay: 1, requestsPerDay: 1 } },
  secrets: [{ name: 'KEY', agents: ['demo'], hosts: [{ host: 'a.example', port: 443 }], header: { name: 'x-key', template: '{}' }, placeholder: 'p' }],
  budget: { costPerDay: 1, tokensPerHour: null },
};
const put = (value: unknown): void => writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o644 });

test('what holdfast-declare wrote is read as it is', async () => {
  const declared = { agents: [AGENT], problems: [{ file: 'f', line: 1, message: 'm' }] };
  put(declared);
  expect(await readDeclaredAgents(path)).toEqual({ ok: true, value: declared });
  put({ operators: [{ name: 'anna', uid: 30_200, roles: ['admin'] }] });
  expect(await readDeclaredOperators(path)).toEqual({ ok: true, value: [{ name: 'anna', uid: 30_200, roles: ['admin'] }] });
});

describe('a file that is not wholly good is wholly refused (A28)', () => {
  test.each<[string, unknown]>([
    ['torn', '{"agents":[{"name":"de'],
    ['empty', ''],
    ['another shape', []],
    ['an agent of another shape', { agents: [AGENT, { ...AGENT, name: 'b', uid: '30101' }], problems: [] }],
    ['a name that is a path', { agents: [{ ...AGENT, name: '../x' }], problems: [] }],
    ['root as an agent', { agents: [{ ...AGENT, uid: 0 }], problems: [] }],
    ['a uid twice', { agents: [AGENT, { ...AGENT, name: 'b' }], problems: [] }],
    ['a mode that nobody keeps', { agents: [{ ...AGENT, mode: 'free' }], problems: [] }],
    ['a network without its quota', { agents: [{ ...AGENT, net: { rules: [] } }], problems: [] }],
    ['a host in a mode that nobody keeps', { agents: [{ ...AGENT, net: { ...AGENT.net, rules: [{ ...AGENT.net.rules[0], mode: 'open' }] } }], problems: [] }],
    ['a secret for no port', { agents: [{ ...AGENT, secrets: [{ ...AGENT.secrets[0], hosts: [{ host: 'a.example' }] }] }], problems: [] }],
    ['a budget that is no number', { agents: [{ ...AGENT, budget: { costPerDay: '5.00', tokensPerHour: null } }], problems: [] }],
    ['no word of a budget', { agents: [{ ...AGENT, budget: undefined }], problems: [] }],
    ['a ceiling without a list of denials', { agents: [{ ...AGENT, ceiling: { allow: [] } }], problems: [] }],
  ])('%s', async (_what, value) => {
    put({ agents: [AGENT], problems: [] });
    expect((await readDeclaredAgents(path)).ok).toBe(true);
    put(value);
    expect((await readDeclaredAgents(path)).ok).toBe(false);
  });

  test.each<[string, unknown]>([
    ['root as an operator', [{ name: 'root', uid: 0, roles: [] }]],
    ['two persons with one uid', [{ name: 'a', uid: 1, roles: [] }, { name: 'b', uid: 1, roles: [] }]],
    ['a role that is no text', [{ name: 'a', uid: 1, roles: [1] }]],
  ])('%s', async (_what, operators) => {
    put({ operators });
    expect((await readDeclaredOperators(path)).ok).toBe(false);
  });

  test.each<[string, () => void, string]>([
    ['missing', () => rmSync(path), 'ENOENT'],
    ['a link', () => (renameSync(path, `${path}.real`), symlinkSync(`${path}.real`, path)), 'ELOOP'],
    ['writable by others', () => chmodSync(path, 0o646), 'others than its owner can write it'],
    ['too large', () => truncateSync(path, 9 * 1024 * 1024), 'it is larger than'],
    ['a folder', () => (rmSync(path), (path = dir)), 'it is not a regular file'],
  ])('%s', async (_what, spoil, why) => {
    put({ agents: [AGENT], problems: [] });
    spoil();
    expect(await readDeclaredAgents(path)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  });

  test.runIf(process.getuid?.() === 0)('of another user', async () => {
    put({ agents: [AGENT], problems: [] });
    chownSync(path, 30_100, 30_100);
    expect(await readDeclaredAgents(path)).toMatchObject({ ok: false, error: expect.stringContaining('it belongs to uid 30100') });
  });
});

test('a replaced file is noticed, another file beside it is not', async () => {
  put('a');
  let seen = 0;
  const close = watchFile(path, () => (seen += 1));
  writeFileSync(join(dir, 'other'), 'x');
  await sleep(120);
  expect(seen).toBe(0);
  writeFileSync(`${path}.new`, 'b');
  renameSync(`${path}.new`, path);
  await sleep(150);
  expect(seen).toBe(1);
  close();
});
