// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AgentName, CallId, GrantId, SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { RunResult } from '../sandbox/permit.ts';
import type { RecordedPermit } from '../tool-call/recorded-permit.ts';
import type { ShellEnd } from '../tool-call/ports.ts';
import { nothingToRedact, type RedactPort } from '../tool-call/redact.ts';
import type { ShellUse } from '../tools/tool.ts';
import { redactor } from '../secret/redaction.ts';
import { openShells } from './open-shells.ts';

// Shells whose other end is a list: what was typed is in it, and the test says what is shown.

const [demo, other] = ['demo', 'other'] as [AgentName, AgentName];
const RAN: RunResult = {
  exit: { code: 0 }, deadline: false, stdout: new Uint8Array(), stderr: new Uint8Array(), dropped: { stdout: 0, stderr: 0 }, label: 'x', observed: { by: 'none' },
};
const KILLED: Result<RunResult> = accept({ ...RAN, exit: { signal: 'SIGKILL' } });

type Line = { readonly done: string[]; readonly shows: (text: string) => void; readonly ends: (ran: Result<RunResult>) => void };

function world(part: { readonly idleMs?: number; readonly first?: string | null; readonly unwritable?: 'begin' | 'full' | 'event'; readonly redact?: RedactPort } = {}) {
  const lines = new Map<string, Line>();
  const revoked = new Set<string>();
  const transcripts = new Map<string, string[]>();
  const faults: unknown[] = [];
  const state = { unwritable: part.unwritable ?? null };
  const shells = openShells({
    connect: ({ permit }, onShown) => {
      const done: string[] = [];
      let ends: (ran: Result<RunResult>) => void = () => undefined;
      const ended = new Promise<Result<RunResult>>((resolve) => (ends = resolve));
      lines.set(permit.call, { done, ends, shows: (text) => onShown(Buffer.from(text, 'latin1')) });
      if (part.first !== null) setTimeout(() => onShown(Buffer.from(part.first ?? '$ ')), 1);
      const kill = (): void => {
        done.push('kill');
        ends(KILLED);
      };
      const hangUp = (): void => {
        done.push('hang up');
        ends(accept({ ...RAN, exit: { signal: 'SIGHUP' } }));
      };
      return { ended, type: (bytes) => bytes.length < 100 && done.push(Buffer.from(bytes).toString()) > 0, hangUp, kill };
    },
    transcript: (_agent, call) => {
      if (state.unwritable === 'begin') throw new Error('no room');
      if (state.unwritable === 'full') return refuse('too many shells of the last day');
      const events: string[] = [];
      transcripts.set(call, events);
      return accept({
        event: (_ms, code, text) => {
          if (state.unwritable === 'event') throw new Error('no room');
          events.push(`${code} ${text}`);
        },
        end: () => ({ digest: 'd'.repeat(64), bytes: 7, missed: 0 }),
      });
    },
    redact: part.redact ?? nothingToRedact,
    isRevoked: (grant) => revoked.has(grant),
    clock: { now: () => Math.floor(performance.now()), wall: () => '2026-01-01T00:00:00.000Z' },
    onFault: (fault) => faults.push(fault),
    ...(part.idleMs === undefined ? {} : { idleMs: part.idleMs }),
  });
  let calls = 0;
  const open = async (agent = demo, owner: { session?: string; grants?: string[] } = {}, cancelled = new AbortController().signal) => {
    const call = `c-${(calls += 1)}` as CallId;
    const plan = { argv: ['bash'], env: {}, terminal: { columns: 80, rows: 24 } };
    const permit = { call, agent, permit: { call, agent, plan } } as unknown as RecordedPermit;
    const opened = await shells.open(permit, { session: (owner.session ?? 's1') as SessionId, grants: (owner.grants ?? []) as GrantId[] }, cancelled);
    return { call, opened };
  };
  const use = (shell: string, what: ShellUse, agent = demo, cancelled = new AbortController().signal) => shells.use({ agent } as never, shell, what, { notAfter: performance.now() + 60_000, cancelled });
  const read = (shell: string, waitMs = 500, raw = false) => use(shell, { what: 'read', waitMs, raw });
  const endOf = (call: string) => new Promise<ShellEnd | null>((resolve) => void shells.afterwards(call as CallId, resolve));
  return { shells, lines, revoked, transcripts, faults, state, open, use, read, endOf };
}

test('what it shows first comes with its id; what is typed arrives and is written down with what is shown', async () => {
  const { shells, lines, transcripts, open, use, read } = world();
  const { call, opened } = await open();
  expect(opened).toEqual({ stands: true, seen: { shell: call, text: '$ ', missed: 0, running: true, exit: null, ended: null } });
  expect(shells.isOpen(demo, call)).toBe(true);
  expect(await use(call, { what: 'write', text: 'ls\n' })).toEqual(accept({ bytes: 3 }));
  lines.get(call)!.shows('ls\r\n\x1b[1mfile\x1b[m\r\n');
  expect(await read(call)).toMatchObject({ ok: true, value: { text: 'ls\nfile\n', missed: 0, running: true } });
  lines.get(call)!.shows('\x1b[1mx');
  expect(await read(call, 500, true)).toMatchObject({ ok: true, value: { text: '\x1b[1mx' } });
  expect(transcripts.get(call)).toEqual(['o $ ', 'i ls\n', 'o ls\r\n\x1b[1mfile\x1b[m\r\n', 'o \x1b[1mx']);
});

test('a reader waits for a word and then for a pause, not longer than asked, and not at all when it has ended', async () => {
  const { lines, open, read, endOf } = world();
  const { call } = await open();
  const none = performance.now();
  expect(await read(call, 80)).toMatchObject({ ok: true, value: { text: '', running: true } });
  expect(performance.now() - none).toBeGreaterThanOrEqual(75);
  const waiting = read(call, 10_000);
  await sleep(20);
  lines.get(call)!.shows('a');
  await sleep(20);
  lines.get(call)!.shows('b');
  expect(await waiting).toMatchObject({ ok: true, value: { text: 'ab' } });
  lines.get(call)!.shows('last');
  lines.get(call)!.ends(accept({ ...RAN, exit: { code: 3 } }));
  expect(await endOf(call)).toMatchObject({ how: 'itself', transcript: { bytes: 7 } });
  expect(await read(call, 10_000)).toEqual(accept({ text: 'last', missed: 0, running: false, exit: { code: 3 }, ended: 'itself' }));
});

test('of a flood the last 256 KiB are kept and the rest is counted', async () => {
  const { lines, open, read } = world();
  const { call } = await open();
  for (let n = 0; n < 64; n += 1) lines.get(call)!.shows('y'.repeat(8 * 1024));
  let [missed, got] = [0, 0];
  for (;;) {
    const part = await read(call, 50);
    const value = part.ok ? (part.value as { text: string; missed: number }) : null;
    if (value === null || value.text === '') break;
    missed += value.missed;
    got += value.text.length;
  }
  expect([missed, got]).toEqual([256 * 1024, 256 * 1024]);
});

test('nobody else\'s: another agent\'s is unknown, and nothing of it is read or typed', async () => {
  const { shells, lines, open, use } = world();
  const { call } = await open();
  expect(shells.isOpen(other, call)).toBe(false);
  for (const what of [{ what: 'write', text: 'x' }, { what: 'read', waitMs: 1, raw: false }, { what: 'close' }] as const) {
    expect(await use(call, what, other)).toEqual(refuse('the shell is over'));
  }
  expect(lines.get(call)!.done).toEqual([]);
  expect(await shells.watch(other, call, null, 1)).toMatchObject({ ok: false });
});

test('an agent has two at most, and may have another when one has ended', async () => {
  const { shells, open, use } = world();
  const first = await open();
  await open();
  expect(shells.hasRoom(demo)).toMatchObject({ ok: false });
  expect(shells.hasRoom(other)).toMatchObject({ ok: true });
  expect((await open()).opened).toMatchObject({ stands: false, end: { ran: { ok: false } } });
  expect(await use(first.call, { what: 'close' })).toMatchObject({ ok: true, value: { running: false, exit: { signal: 'SIGHUP' }, ended: 'closed' } });
  expect(shells.isOpen(demo, first.call)).toBe(false);
  expect((await open()).opened).toMatchObject({ stands: true });
});

test.each<[string, ShellEnd['how'], (w: ReturnType<typeof world>, call: string) => unknown]>([
  ['its grant is revoked', 'revoked', ({ revoked, shells }) => {
    revoked.add('g1');
    shells.look();
  }],
  ['its connection closes', 'disconnected', ({ shells }) => shells.sessionClosed('s1' as SessionId)],
  ['holdfastd stops', 'stopping', ({ shells }) => shells.close()],
  ['its runner goes', 'lost', ({ lines }, call) => lines.get(call)!.ends(refuse('connection: it went away'))],
  ['its time is over', 'deadline', ({ lines }, call) => lines.get(call)!.ends(accept({ ...RAN, deadline: true, exit: { signal: 'SIGKILL' } }))],
  ['what it shows cannot be written', 'unrecorded', ({ state, lines }, call) => {
    state.unwritable = 'event';
    lines.get(call)!.shows('secret');
  }],
])('it ends when %s, and a reader that waits is told', async (_, how, happens) => {
  const w = world();
  const { call } = await w.open(demo, { grants: ['g1'] });
  const control = await w.open(other, { session: 's2', grants: ['g2'] });
  const waiting = w.read(call, 10_000);
  await happens(w, call);
  expect(await w.endOf(call).then((end) => end?.how ?? how)).toBe(how);
  expect(await waiting).toMatchObject({ ok: true, value: { running: false, ended: how, text: '' } });
  if (how !== 'stopping' && how !== 'unrecorded') expect(w.shells.list(other)).toMatchObject([{ shell: control.call, running: true }]);
});

test('without a word it ends, with every call on it it goes on', async () => {
  const { lines, open, use, read, endOf } = world({ idleMs: 150 });
  const { call } = await open();
  for (let n = 0; n < 4; n += 1) {
    await sleep(80);
    await use(call, { what: 'write', text: 'x' });
  }
  expect(lines.get(call)!.done).toEqual(['x', 'x', 'x', 'x']);
  expect(await endOf(call)).toMatchObject({ how: 'idle' });
  expect(lines.get(call)!.done.at(-1)).toBe('hang up');
  expect(await read(call)).toMatchObject({ ok: true, value: { running: false, ended: 'idle' } });
  expect(await use(call, { what: 'write', text: 'x' })).toMatchObject({ ok: false });
});

test('what cannot be written down does not begin, and what does not fit is not typed', async () => {
  const blind = world({ unwritable: 'begin' });
  expect((await blind.open()).opened).toMatchObject({ stands: false, end: { how: 'unrecorded', transcript: null } });
  expect(blind.lines.size).toBe(0);
  const full = world({ unwritable: 'full' });
  expect((await full.open()).opened).toMatchObject({ stands: false, end: { how: 'unrecorded', ran: { ok: false, error: 'too many shells of the last day' } } });
  expect([full.lines.size, full.faults]).toEqual([0, []]);
  const { transcripts, open, use } = world();
  const { call } = await open();
  expect(await use(call, { what: 'write', text: 'x'.repeat(100) })).toMatchObject({ ok: false });
  expect(transcripts.get(call)).toEqual(['o $ ']);
});

test('who cancels the opening gets none', async () => {
  const { lines, open } = world({ first: null });
  const stop = new AbortController();
  const opening = open(demo, {}, stop.signal);
  await sleep(10);
  stop.abort();
  expect((await opening).opened).toMatchObject({ stands: false, end: { how: 'cancelled' } });
  expect(lines.get('c-1')!.done).toEqual(['kill']);
});

test('who watches sees all that is kept, then what comes, then the end', async () => {
  const { shells, lines, open } = world();
  const { call } = await open();
  expect(await shells.watch(demo, call, null, 1)).toEqual(accept({ bytes: new Uint8Array(Buffer.from('$ ')), missed: 0, next: 2, running: true, ended: null }));
  const next = shells.watch(demo, call, 2, 10_000);
  lines.get(call)!.shows('ü');
  expect(await next).toMatchObject({ ok: true, value: { next: 3, running: true } });
  const last = shells.watch(demo, call, 3, 10_000);
  lines.get(call)!.ends(accept(RAN));
  expect(await last).toMatchObject({ ok: true, value: { next: 3, running: false, ended: 'itself' } });
});

test('a secret that is shown in pieces, or typed letter by letter, is not in the transcript; where nobody can tell, nothing is', async () => {
  const known = redactor([{ name: 'KEY', value: Buffer.from('correct-horse-42') }]);
  const state = { needed: true, away: false };
  const utf8 = new TextDecoder();
  const redact: RedactPort = {
    needed: () => state.needed,
    texts: async () => refuse('no test here asks'),
    stream: () => {
      const { push, end } = known.stream();
      const answer = async (bytes: Uint8Array): Promise<Result<string>> => (state.away ? refuse('away') : accept(utf8.decode(bytes)));
      return { push: async (text) => answer(push(Buffer.from(text))), end: async () => answer(end()) };
    },
  };
  const { lines, transcripts, open, use, endOf } = world({ redact });
  const { call } = await open();
  for (const letter of 'correct-horse-42 ') await use(call, { what: 'write', text: letter });
  for (const piece of ['it is correct', '-horse', '-42, ok', ' correct-hor']) lines.get(call)!.shows(piece);
  lines.get(call)!.ends(accept({ ...RAN, exit: { code: 0 } }));
  expect(await endOf(call)).toMatchObject({ how: 'itself', transcript: { bytes: 7 } });
  const text = (code: string, of = call): string => transcripts.get(of)!.filter((event) => event.startsWith(code)).map((event) => event.slice(2)).join('');
  expect([text('i'), text('o')]).toEqual(['[secret KEY removed] ', '$ it is [secret KEY removed], ok correct-hor']);

  const second = await open();
  state.away = true;
  lines.get(second.call)!.shows('a correct-horse-42 b');
  lines.get(second.call)!.ends(accept({ ...RAN, exit: { code: 0 } }));
  expect(await endOf(second.call)).toMatchObject({ how: 'itself', transcript: { bytes: 7 } });
  expect(text('o', second.call)).toMatch(/^\$ ?\[20 characters or more withheld: .*\]\r\n/);

  Object.assign(state, { needed: false, away: false });
  const plain = await open();
  lines.get(plain.call)!.shows('correct-horse-42');
  expect(text('o', plain.call), 'the positive control, written at once').toBe('$ correct-horse-42');
});

test('a transcript that cannot be written after it was looked through ends its shell', async () => {
  const redact: RedactPort = { needed: () => true, texts: async (texts) => accept(texts), stream: () => ({ push: async (text) => accept(text), end: async () => accept('') }) };
  const { lines, faults, state, open, endOf } = world({ redact });
  const { call } = await open();
  state.unwritable = 'event';
  lines.get(call)!.shows('x');
  expect(await endOf(call)).toMatchObject({ how: 'unrecorded', transcript: null });
  expect(faults.length).toBeGreaterThan(0);
});
