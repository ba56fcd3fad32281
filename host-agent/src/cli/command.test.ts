// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { pathsUnder } from '../effects/paths.ts';
import { SLOT_COUNT, SLOT_UID_BASE } from '../config/slots.ts';
import { ENTRY_KINDS } from '../ledger/entry.ts';
import { VERSION } from '../version.ts';
import { AGENT_UIDS } from './agent-uids.ts';
import { COMMANDS } from './commands.ts';
import type { Io } from './io.ts';
import { runCommand } from './run-command.ts';
import { screenOn } from './screen.ts';
import { splitWords } from './words.ts';

async function run(line: string): Promise<{ code: number; out: string; err: string }> {
  const words = splitWords(line);
  if (!words.ok) throw new Error(words.error);
  let out = '';
  let err = '';
  const io: Io = {
    screen: screenOn({ out: (text) => (out += text), err: (text) => (err += text) }, { out: false, err: false }),
    stdin: Readable.from(['name: x\n']),
    raw: { write: async () => undefined, inputIsTerminal: false, outputIsTerminal: true },
    paths: pathsUnder('/nonexistent'),
    root: '/nonexistent',
    uid: 4_711,
    login: 'alice',
    stop: new AbortController().signal,
  };
  return { code: await runCommand(io, words.value), out, err };
}

test.each([
  ['frobnicate', 'unknown command "frobnicate"; see: holdfast --help'],
  ['agent', 'holdfast agent needs one of: list, show, add, remove, start, stop, logs'],
  ['agent fly', 'holdfast agent needs one of: list, show, add, remove, start, stop, logs; "fly" is none of them'],
  ['agent show', 'AGENT is missing; see: holdfast agent show --help'],
  ['agent show a b', '"b" is one word too many; see: holdfast agent show --help'],
  ['agent logs ../x', 'an agent name must start with a-z and hold only a-z, 0-9 and _, at most 31 characters'],
  ['agent logs demo -n 0', '--lines must be a whole number from 1 to 10000, not "0"'],
  ['status --wat', 'unknown option --wat; see: holdfast status --help'],
  ['status --json --json', '--json is given twice'],
  ['status --json=1', '--json takes no value'],
  ['log -n', '--limit needs a value (N); see: holdfast log --help'],
  ['log --limit 1e3', '--limit must be a whole number from 1 to 10000, not "1e3"'],
  ['log --kind nonsense', `--kind must be a kind of entry, not "nonsense"; one of: ${ENTRY_KINDS.join(', ')}`],
  ['log --since yesterday', '--since must be a time like 2026-11-21T09:00:00Z or a duration like 10m, not "yesterday"'],
  ['grant demo', 'CAPABILITY is missing; see: holdfast grant --help'],
  ['grant demo fs:read:/x', '--for DURATION is missing; see: holdfast grant --help'],
  ['grant demo fs:read:/x --for 10m', '--reason TEXT is missing; see: holdfast grant --help'],
  ['grant demo fs:read:/x --for soon --reason x', 'cannot read the duration "soon": write a whole number and s, m or h, for example 10s, 5m or 2h'],
  ['grant demo fs:read:/x --for 1m --reason x --uses 0', '--uses must be a whole number from 1 to 1000000, not "0"'],
  ['agent add /nonexistent/a.yaml', "cannot read /nonexistent/a.yaml: ENOENT: no such file or directory, open '/nonexistent/a.yaml'"],
  ['verify --from x', '--from must be a whole number from 1 to 9007199254740991, not "x"'],
])('holdfast %s: exit 64 and the reason', async (line, error) => {
  expect(await run(line)).toEqual({ code: 64, out: '', err: `holdfast: ${error}\n` });
});

test.each(['status', 'agent list', 'grants', 'revoke x', 'requests', 'grant demo fs:read:/x --for 10m --reason x'])(
  'holdfast %s without holdfastd: exit 69 and where nothing listens',
  async (line) => {
    const ran = await run(line);
    expect(ran.code).toBe(69);
    expect(ran.out).toBe('');
    expect(ran.err).toContain('unavailable: nothing listens at /nonexistent/run/holdfast/operator.sock');
  },
);

test('every command has a help with a usage line and its examples, which begin with holdfast or ssh', async () => {
  for (const command of COMMANDS.filter((c) => c.words.length > 0)) {
    const shown = await run(`${command.words.join(' ')} --help`);
    expect(shown.code).toBe(0);
    expect(shown.out).toContain(`usage: holdfast ${command.words.join(' ')}`);
    for (const example of command.examples) expect(shown.out).toContain(example);
    expect(command.examples.length).toBeGreaterThan(0);
    expect(command.examples.every((e) => e.startsWith('holdfast') || e.startsWith('ssh '))).toBe(true);
    // As daemon.ts makes them: what is shown can be had.
    for (const id of command.examples.join(' ').match(/(?<= )[a-z]-\S+/g) ?? []) expect(id).toMatch(/^[cgprs]-[0-9a-f]{16}$/);
    expect(await run(`help ${command.words.join(' ')}`)).toEqual(shown);
  }
  expect((await run('--help')).out).toContain('holdfast agent add');
  expect((await run('agent --help')).out).not.toContain('holdfast verify ');
});

test('the version is the one of package.json', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(VERSION).toBe(manifest.version);
  expect(await run('--version')).toEqual({ code: 0, out: `holdfast ${VERSION}\n`, err: '' });
});

test('the shell and the slots of agents mean the same uids', () => {
  expect(AGENT_UIDS).toEqual({ first: SLOT_UID_BASE, last: SLOT_UID_BASE + SLOT_COUNT - 1 });
});

test('after -- a word that looks like an option is none', async () => {
  expect((await run('agent show -- --json')).err).toContain('unavailable');
  expect((await run('agent show -- --help')).err).toContain('unavailable');
});
