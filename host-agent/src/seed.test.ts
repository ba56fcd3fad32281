// SPDX-License-Identifier: Apache-2.0
import {
  chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SeedResult } from './config/claim.ts';
import { readDeclaredOperators } from './effects/declared-files.ts';
import { pathsUnder } from './effects/paths.ts';
import { digestOf, seed } from './seed.ts';

const [ONE = '', TWO = '', THREE = ''] = readFileSync(new URL('config/testdata/public-keys.txt', import.meta.url), 'utf8').split('\n');
const ALICE = `operators:\n  - name: alice\n    roles: [ops]\n    keys: ["${ONE}"]\nagent-keys:\n  - agent: demo\n    keys: ["${TWO}"]\n`;
const MALLORY = `operators:\n  - name: mallory\n    roles: [ops]\n    keys: ["${THREE}"]\n`;

const BINARY = 'io.systemd.credential.binary:';

let root = '';
beforeEach(() => {
  process.umask(0o022);
  root = mkdtempSync(join(tmpdir(), 'holdfast-seed-'));
  mkdirSync(join(root, 'run/holdfast-safe'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/passwd'), 'root:*:0:0::/root:/bin/sh\nholdfast:!:30001:30001::/:/usr/sbin/nologin\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As firmware would hand it over: one structure of OEM strings. */
function offer(credentials: Readonly<Record<string, string>>): void {
  const strings = Object.entries(credentials).map(([name, value]) => `${BINARY}${name}=${Buffer.from(value).toString('base64')}\0`);
  const entry = join(root, 'sys/firmware/dmi/entries/11-0');
  mkdirSync(entry, { recursive: true });
  writeFileSync(join(entry, 'raw'), Buffer.concat([Buffer.from([11, 5, 0, 0, strings.length]), Buffer.from(`${strings.join('')}\0`)]));
}

const reboot = (): void => rmSync(join(root, 'run/userdb'), { recursive: true, force: true });
const keyFiles = (): readonly string[] => readdirSync(join(root, 'run/ssh-keys')).sort();
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const result = (): SeedResult => JSON.parse(readFileSync(pathsUnder(root).seedResult, 'utf8'));

test('the first seed claims: records, keys, operators, a claim on the safe partition, a slot for the agent', async () => {
  offer({ 'holdfast.seed': ALICE, 'holdfast.root-keys': `${THREE}\n` });
  const digest = digestOf(Buffer.from(ALICE), Buffer.from(`${THREE}\n`));
  expect(seed(root)).toEqual({ state: 'claimed', digest, offered: digest, problems: [] });
  expect(result()).toEqual({ state: 'claimed', digest, offered: digest, problems: [] });

  expect(keyFiles()).toEqual(['agent-demo', 'alice', 'root']);
  expect([text('run/ssh-keys/alice'), text('run/ssh-keys/agent-demo'), text('run/ssh-keys/root')]).toEqual(
    [`restrict,pty ${ONE}\n`, `restrict ${TWO}\n`, `${THREE}\n`],
  );
  expect(readdirSync(join(root, 'run/userdb')).sort()).toEqual([
    '30200.group', '30200.user', '30200.user-privileged', 'agent-demo.user', 'agent-demo.user-privileged',
    'alice.group', 'alice.user', 'alice.user-privileged', 'alice:hf-operator.membership', 'alice:systemd-journal.membership',
  ]);
  expect(JSON.parse(text('run/userdb/alice.user'))).toEqual({
    userName: 'alice', uid: 30200, gid: 30200, realName: 'Operator alice', disposition: 'regular',
    homeDirectory: '/run/holdfast/home', shell: '/usr/lib/holdfast/login-shell', memberOf: ['hf-operator', 'systemd-journal'],
  });
  expect(JSON.parse(text('run/userdb/alice.user-privileged'))).toEqual({ privileged: { hashedPassword: ['*'] } });
  expect(JSON.parse(text('run/userdb/agent-demo.user'))).toMatchObject({ uid: 30100, gid: 30100, memberOf: [] });
  expect(readlinkSync(join(root, 'run/userdb/30200.user'))).toBe('alice.user');
  const mode = (path: string): number => lstatSync(join(root, path)).mode & 0o777;
  expect([mode('run/userdb/alice.user'), mode('run/ssh-keys/alice')]).toEqual([0o644, 0o644]);
  expect([mode('run/userdb/alice.user-privileged'), mode('run/holdfast-safe/seed.json')]).toEqual([0o600, 0o600]);
  expect(await readDeclaredOperators(pathsUnder(root).declaredOperators)).toEqual(
    { ok: true, value: [{ name: 'alice', uid: 30200, roles: ['ops'] }] },
  );
  expect(JSON.parse(readFileSync(pathsUnder(root).slots, 'utf8'))).toEqual({ v: 1, slots: { demo: 0 } });
});

test('the same seed, or none, at the next boot gives the same accounts', () => {
  offer({ 'holdfast.seed': ALICE });
  seed(root);
  const before = text('run/userdb/alice.user');
  reboot();
  expect(seed(root).state).toBe('same');
  expect(text('run/userdb/alice.user')).toBe(before);
  reboot();
  rmSync(join(root, 'sys'), { recursive: true });
  expect(seed(root)).toMatchObject({ state: 'same', offered: null });
  expect(keyFiles()).toEqual(['agent-demo', 'alice']);
});

test('another seed, or only other root keys, is ignored and reported (R107)', () => {
  offer({ 'holdfast.seed': ALICE });
  const { digest } = seed(root);
  const claim = text('run/holdfast-safe/seed.json');
  const others = [
    { 'holdfast.seed': MALLORY },
    { 'holdfast.seed': ALICE, 'holdfast.root-keys': `${THREE}\n` },
    { 'holdfast.root-keys': `${THREE}\n` },
    { 'holdfast.seed': 'broken: [' },
  ];
  for (const other of others) {
    reboot();
    offer(other);
    const told = seed(root);
    expect(told).toMatchObject({ state: 'ignored', digest });
    expect(told.offered).not.toBe(digest);
    expect([keyFiles(), text('run/holdfast-safe/seed.json')]).toEqual([['agent-demo', 'alice'], claim]);
  }
});

test('without a seed nobody gets in, and the machine stays free for its first', () => {
  expect(seed(root)).toEqual({ state: 'unclaimed', digest: null, offered: null, problems: [] });
  expect([keyFiles(), existsSync(join(root, 'run/holdfast-safe/seed.json'))]).toEqual([[], false]);
  offer({ 'holdfast.seed': ALICE });
  expect(seed(root).state).toBe('claimed');
});

test.each([
  ['broken YAML', { 'holdfast.seed': 'operators:\n  - name: "al' }, 'holdfast.seed', 2],
  ['an operator called root', { 'holdfast.seed': ALICE.replace('alice', 'root') }, 'holdfast.seed', 2],
  ['an operator called as an account of the image', { 'holdfast.seed': ALICE.replace('alice', 'holdfast') }, 'holdfast.seed', 2],
  ['root keys that cannot be read', { 'holdfast.seed': ALICE, 'holdfast.root-keys': 'x\n' }, 'holdfast.root-keys', 1],
  ['root keys alone', { 'holdfast.root-keys': `${THREE}\n` }, 'holdfast.root-keys', 1],
])('a first seed with %s claims nothing and says where', (_, credentials, file, line) => {
  offer(credentials);
  const told = seed(root);
  expect(told).toMatchObject({ state: 'unclaimed', digest: null, problems: [{ file, line }] });
  expect([keyFiles(), existsSync(join(root, 'run/holdfast-safe/seed.json'))]).toEqual([[], false]);
});

test('a good seed beside root keys that did not come through whole claims nothing', () => {
  const strings = [`${BINARY}holdfast.seed=${Buffer.from(ALICE).toString('base64')}`, `${BINARY}holdfast.root-keys=%%%`];
  offer({});
  writeFileSync(join(root, 'sys/firmware/dmi/entries/11-0/raw'), Buffer.from(`\x0b\x05\0\0\x02${strings.join('\0')}\0\0`, 'latin1'));
  expect(seed(root)).toMatchObject(
    { state: 'unclaimed', problems: [{ message: 'credential holdfast.root-keys: not valid base64 in one line' }] },
  );
  expect(keyFiles()).toEqual([]);
});

test('a claim cut off, writable by others, or gone with its partition lets nobody in and nobody claim', () => {
  offer({ 'holdfast.seed': ALICE });
  seed(root);
  const path = join(root, 'run/holdfast-safe/seed.json');
  const whole = readFileSync(path, 'utf8');
  offer({ 'holdfast.seed': MALLORY });
  const lost: readonly (() => void)[] = [
    () => writeFileSync(path, whole.slice(0, 50)),
    () => writeFileSync(path, ''),
    () => (writeFileSync(path, whole), chmodSync(path, 0o666)),
    () => rmSync(join(root, 'run/holdfast-safe'), { recursive: true }),
  ];
  for (const lose of lost) {
    lose();
    rmSync(join(root, 'run/ssh-keys'), { recursive: true });
    expect(seed(root)).toMatchObject({ state: 'unreadable', digest: null });
    expect(keyFiles()).toEqual([]);
  }
});

test('with the record of slots broken operators get in and agents do not', () => {
  mkdirSync(join(root, 'var/lib/holdfast-declare'), { recursive: true });
  writeFileSync(pathsUnder(root).slots, 'torn');
  offer({ 'holdfast.seed': ALICE });
  const told = seed(root);
  expect([told.state, keyFiles(), told.problems.length]).toEqual(['claimed', ['alice'], 1]);
  expect(statSync(pathsUnder(root).slots).size).toBe(4);
});
