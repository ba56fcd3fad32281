// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addSecret } from './secret/change-store.ts';
import type { SecretName } from './secret/name.ts';
import { newStore, writeStore } from './secret/store-file.ts';
import type { StoreHeader } from './secret/store-header.ts';
import { PASSPHRASE, UIDS, useSecretdRole } from './testdata/secretd-role.ts';

// `holdfast secret …` as an operator runs it, against the real role.

const MAIN = join(import.meta.dirname, 'main.ts');
const VALUE = 'sk-ant-api03-canary-of-the-command-line';

const box = useSecretdRole();
const rootOf = (): string => box.paths().units.replace('/run/systemd/system', '');

type Ran = { readonly out: string; readonly err: string; readonly code: number | null };

async function holdfast(words: readonly string[], input = '', uid: number = UIDS.ops): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, 'holdfast', '--root', rootOf(), ...words], { uid, gid: uid, cwd: '/', env: {} });
  const got = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (got.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (got.err += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { ...got, code };
}

/** On a terminal of its own: each of `keys` is typed once the next colon of a prompt has been shown. Answers all that the terminal showed. */
async function typed(words: readonly string[], keys: readonly string[], role = 'holdfast', after = 'Enter:'): Promise<Ran> {
  const script = `
import json, os, pty, sys
words, keys, uid, after = json.loads(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode().split(b'|')
pid, fd = pty.fork()
if pid == 0:
    os.setgid(uid); os.setuid(uid); os.chdir('/')
    os.execve(words[0], words, {'TERM': 'dumb'})
seen, said = b'', 0
while True:
    try: chunk = os.read(fd, 65536)
    except OSError: break
    if not chunk: break
    seen += chunk
    if said == len(keys): continue
    if sum(seen.count(word) for word in after) > said:
        os.write(fd, keys[said].encode()); said += 1
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const child = spawn('python3', ['-c', script, JSON.stringify([process.execPath, MAIN, role, '--root', rootOf(), ...words]), JSON.stringify(keys), String(UIDS.ops), after], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { out, err: '', code };
}

const bind = ['--agent', 'coder', '--host', 'api.anthropic.com'];

describe('holdfast secret', () => {
  test('from nothing to a key in use: init, set, list, status, access, rotate, lock, unlock, remove', async () => {
    await box.start();
    expect(await holdfast(['secret', 'status'])).toMatchObject({ code: 0, out: expect.stringContaining('holdfast secret init') });
    const made = await holdfast(['secret', 'init'], `${PASSPHRASE}\n`);
    expect(made).toMatchObject({ code: 0, err: '' });
    const code = /^ {2}((?:[0-9A-Z]{4}-){7}[0-9A-Z]{4})$/m.exec(made.out)?.[1] ?? '';
    expect(code).not.toBe('');

    const set = await holdfast(['secret', 'set', 'ANTHROPIC_API_KEY', ...bind], `${VALUE}\n`);
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).toMatch(/header: x-api-key: \{\}/);
    expect(set.out).toMatch(/^ {2}sk-ant-api03-[A-Za-z0-9]{93}AA$/m);
    expect(set.out).toContain('holdfast agent start coder');
    expect(set.out).not.toContain('canary');
    expect(await box.use({ host: 'api.anthropic.com', secrets: ['ANTHROPIC_API_KEY'] }, 'ANTHROPIC_API_KEY')).toMatchObject({ ok: true, value: VALUE });

    expect((await holdfast(['secret', 'list'])).out).toMatch(/^NAME +AGENTS +HOSTS +HEADER +AGE +EXPIRES\nANTHROPIC_API_KEY +coder +api\.anthropic\.com +x-api-key +0d +-\n$/);
    expect((await holdfast(['secret', 'list'], '', UIDS.viewer)).out).toBe('NAME\nANTHROPIC_API_KEY\n');
    expect(await holdfast(['secret', 'access', 'ANTHROPIC_API_KEY', '--agent', 'coder,tester', '--header', 'authorization: Bearer {}'])).toMatchObject({ code: 0, out: expect.stringContaining('agents: coder, tester') });
    expect(await holdfast(['secret', 'access', 'coder', 'none'])).toMatchObject({ code: 0, out: 'coder: no secret at all\n' });
    expect(await box.use({ host: 'api.anthropic.com', secrets: ['ANTHROPIC_API_KEY'] }, 'ANTHROPIC_API_KEY')).toMatchObject({ ok: false, rule: 'not_bound' });
    expect(await holdfast(['secret', 'access', 'coder', 'scoped'])).toMatchObject({ code: 0 });
    expect(await holdfast(['secret', 'rotate', 'ANTHROPIC_API_KEY', '--grace', '1h', '--expires', '2999-01-31'], 'the-new-one')).toMatchObject({ code: 0, out: expect.stringContaining('for 1 hours') });
    expect(JSON.parse((await holdfast(['secret', 'list', '--json'])).out)).toMatchObject({ binding: { expires: '2999-01-31T23:59:59.999Z' } });
    expect(await holdfast(['secret', 'lock'])).toMatchObject({ code: 0 });
    expect(await holdfast(['secret', 'status'])).toMatchObject({ code: 0, out: expect.stringContaining('locked; open them with: holdfast secret unlock') });
    expect(await holdfast(['secret', 'unlock'], 'wrong wrong wrong\n')).toMatchObject({ code: 1, err: expect.stringContaining('refused: this opens no key slot') });
    expect(await holdfast(['secret', 'unlock'], `${code}\r\n`)).toMatchObject({ code: 0, out: 'secrets are open\n' });
    expect(await holdfast(['secret', 'key', 'passphrase'], 'another one of words\n')).toMatchObject({ code: 0 });
    expect(await holdfast(['secret', 'remove', 'ANTHROPIC_API_KEY'])).toMatchObject({ code: 0 });
    expect(await holdfast(['secret', 'list'])).toMatchObject({ code: 0, out: 'no secret is kept\n' });
  });

  test('a value on the command line is refused with the reason, and shown nowhere', async () => {
    await box.start();
    for (const words of [['set', 'A_KEY', VALUE, ...bind], ['rotate', 'A_KEY', VALUE], ['set', 'A_KEY', VALUE, 'more', ...bind], ['set', 'A_KEY', ...bind, `--value=${VALUE}`]]) {
      const ran = await holdfast(['secret', ...words]);
      expect(ran.code, words.join(' ')).toBe(64);
      expect(ran.out + ran.err).not.toContain('canary');
    }
    expect((await holdfast(['secret', 'set', 'A_KEY', VALUE, ...bind])).err).toContain('does not go on the command line');
    expect((await holdfast(['secret', 'set', '--help'])).out).toContain('usage: holdfast secret set NAME --agent AGENT[,AGENT] --host HOST[:PORT][,');
  });

  test.each<[string, readonly string[], string, number, string]>([
    ['no value', ['set', 'A_KEY', ...bind], '', 64, 'nothing came on standard input'],
    ['only a line break', ['set', 'A_KEY', ...bind], '\n', 64, 'nothing came'],
    ['two lines', ['set', 'A_KEY', ...bind], 'a\nb\n', 1, 'one line of printable ASCII'],
    ['too long', ['set', 'A_KEY', ...bind], 'x'.repeat(20_000), 64, 'longer than'],
    ['no host', ['set', 'A_KEY', '--agent', 'coder'], VALUE, 64, '--host'],
    ['a pattern for a host', ['set', 'A_KEY', '--agent', 'coder', '--host', '*.anthropic.com'], VALUE, 1, 'no host'],
    ['a day that does not exist', ['set', 'A_KEY', ...bind, '--expires', '2027-02-31'], VALUE, 64, 'a day that exists'],
    ['a level for a secret', ['access', 'A_KEY', 'none'], '', 64, 'are for agents'],
    ['no level for an agent', ['access', 'coder'], '', 64, 'none, scoped, full'],
    ['no such secret', ['remove', 'B_KEY'], '', 1, 'no secret B_KEY'],
    ['no such key', ['key', 'master'], '', 64, 'passphrase, recovery, credential'],
  ])('%s', async (_what, words, input, code, why) => {
    await box.start();
    await box.done({ op: 'init' }, PASSPHRASE);
    const ran = await holdfast(['secret', ...words], input);
    expect(ran).toMatchObject({ code, err: expect.stringContaining(why) });
    expect(ran.out + ran.err).not.toContain('canary');
  });

  test('a disk that did not take it: said, and an exit status that says so; nobody there: unavailable', async () => {
    await box.prepared('x-y-z');
    box.keeping('refuse');
    expect(await holdfast(['secret', 'remove', 'A_KEY'])).toMatchObject({ code: 1, err: 'changed, but not yet on disk: the disk is full\n' });
    await box.kill('SIGKILL');
    expect(await holdfast(['secret', 'status'])).toMatchObject({ code: 69, err: expect.stringContaining('unavailable') });
  });
});

test('a secret of 100 days is said to be old, before the store is opened too; one that is to last longer is not', async () => {
  const { header: empty, masterKey } = newStore([{ kind: 'passphrase', secret: Buffer.from(PASSPHRASE) }], randomBytes);
  const added = (store: StoreHeader, name: string, rotateDays: number): StoreHeader => {
    const made = addSecret(store, { name: name as SecretName, family: 'generic', agents: [], forbid: [], hosts: [{ host: 'api.example.com', port: 443 }], header: { name: 'authorization', template: 'Bearer {}' }, rotateDays, expires: null }, { by: 'anna', wallMs: Date.now() - 100 * 86_400_000 });
    if (!made.ok) throw new Error(made.error);
    return made.value;
  };
  const header = added(added(empty, 'OLD_KEY', 90), 'YOUNG_KEY', 180);
  const values = [Buffer.from('one'), Buffer.from('two')].map((value) => ({ value, old: null }));
  writeFileSync(box.disk(), writeStore(header, masterKey, values, randomBytes));
  await box.start();
  expect((await holdfast(['secret', 'status'])).out).toMatch(/^old: OLD_KEY .*holdfast secret rotate OLD_KEY$/m);
  expect(await holdfast(['secret', 'unlock'], PASSPHRASE)).toMatchObject({ code: 0 });
  const listed = (await holdfast(['secret', 'list'])).out;
  expect(listed).toMatch(/^OLD_KEY .* 100d OLD /m);
  expect(listed).toMatch(/^YOUNG_KEY .* 100d +-$/m);
  expect(await holdfast(['secret', 'rotate', 'OLD_KEY'], 'three')).toMatchObject({ code: 0 });
  expect((await holdfast(['secret', 'status'])).out).not.toContain('old: ');
});

describe('at a terminal', () => {
  test('neither passphrase nor value is shown as it is typed; mistakes are taken back; what is typed twice must be the same', async () => {
    await box.start();
    const other = await typed(['secret', 'init'], [`${PASSPHRASE}\r`, 'something else\r']);
    expect(other).toMatchObject({ code: 64, out: expect.stringContaining('not the same') });
    const made = await typed(['secret', 'init'], [`${PASSPHRASE}\r`, `${PASSPHRASE}\r`]);
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('recovery code') });
    expect(made.out + other.out).not.toMatch(/correct|something/);
    const set = await typed(['secret', 'set', 'ANTHROPIC_API_KEY', ...bind], [`wrong\u0015${VALUE}xy\u007f\u007f\r`]);
    expect(set).toMatchObject({ code: 0, out: expect.stringContaining('ANTHROPIC_API_KEY is kept') });
    expect(set.out).not.toMatch(/canary|wrong/);
    expect(await box.use({ host: 'api.anthropic.com', secrets: ['ANTHROPIC_API_KEY'] }, 'ANTHROPIC_API_KEY')).toMatchObject({ ok: true, value: VALUE });
    for (const keys of ['\u0003', 'abc\u0003', '\u001b[A\r', '\u0004']) expect(await typed(['secret', 'rotate', 'ANTHROPIC_API_KEY'], [keys]), JSON.stringify(keys)).toMatchObject({ code: 64, out: expect.stringContaining('nothing was done') });
    expect(await box.use({ host: 'api.anthropic.com', secrets: ['ANTHROPIC_API_KEY'] }, 'ANTHROPIC_API_KEY')).toMatchObject({ ok: true, value: VALUE });
  });

  test('the prompt of the login shell gives the keys to it, shows nothing of them, and goes on', async () => {
    await box.start();
    const ran = await typed([], ['secret init\r', `${PASSPHRASE}\r`, `${PASSPHRASE}\r`, 'version\r', 'exit\r'], 'holdfast-shell', 'Enter:|holdfast> ');
    expect(ran.out).toContain('the recovery code');
    expect(ran.out).toMatch(/holdfast \d+\.\d+\.\d+/);
    expect(ran.out).not.toContain('correct horse');
    expect(await box.ask({ op: 'status' })).toMatchObject({ value: { state: 'open' } });
  });
});
