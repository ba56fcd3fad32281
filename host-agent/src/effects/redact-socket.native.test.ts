// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { redactor, type Redactor } from '../secret/redaction.ts';
import { MAX_REDACT_LINE, MOST_UNITS } from '../secret/redact-wire.ts';
import { keptValue } from './kept-value.ts';
import { listenOn } from './listen.ts';
import { connectRedactor, onceOpen, type RedactClient } from './redact-client.ts';
import { serveRedactions } from './redact-server.ts';

const SECRET = 'sk-proj-0123456789+/abcdefghij';
const MARK = '[secret KEY removed]';
const root = mkdtempSync(join(tmpdir(), 'holdfast-redact-'));
const socket = join(root, 'redact.sock');
const bindings = join(root, 'bindings.json');

let state: { open: Redactor | null; uid: number | null };
let refused: string[];
let server: Server;
let client: RedactClient;
const connections = new Set<Socket>();
const publish = (what: string): void => writeFileSync(bindings, JSON.stringify({ v: 1, state: what, bindings: [] }));
const newClient = (boot = 'boot-1'): RedactClient => connectRedactor(socket, bindings, onceOpen(keptValue(join(root, 'were-open.json'), boot, false)));

beforeEach(async () => {
  rmSync(bindings, { force: true });
  rmSync(join(root, 'were-open.json'), { force: true });
  state = { open: redactor([{ name: 'KEY', value: Buffer.from(SECRET) }]), uid: process.getuid!() };
  refused = [];
  server = await listenOn('redact', socket);
  server.on('connection', (peer) => connections.add(peer));
  serveRedactions(server, { redactor: () => state.open, mayAsk: (uid) => uid === state.uid, onRefused: ({ why }) => refused.push(why) });
  client = newClient();
});

afterEach(async () => {
  client.close();
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
});
afterAll(() => rmSync(root, { recursive: true }));

/** What the process does when it dies: its connections end, and its socket file stays. */
async function kill(): Promise<void> {
  client.close();
  client = newClient();
  server.close();
  await once(server, 'close');
}

describe('whether anything is asked', () => {
  it.each([['no store', null, false], ['locked since boot', 'locked', false], ['absent', 'absent', false], ['damaged', 'damaged', false], ['open', 'open', true], ['what nobody understands', '"', true]] as const)('%s', (_, what, needed) => {
    if (what !== null) publish(what);
    expect(client.needed()).toBe(needed);
  });

  it('stays needed for the rest of the boot once it was open, also over a restart of holdfastd', () => {
    publish('open');
    expect(client.needed()).toBe(true);
    publish('locked');
    expect(client.needed()).toBe(true);
    expect(newClient().needed()).toBe(true);
    expect(newClient('boot-2').needed()).toBe(false);
    writeFileSync(join(root, 'were-open.json'), 'broken');
    expect(newClient().needed(), 'what cannot be read says yes').toBe(true);
  });
});

describe('texts over the socket', () => {
  it('come back in order, clean, and as they were where nothing was to be removed', async () => {
    const texts = ['', 'a', `x ${SECRET} y`, '\ufeffbom', 'half \ud800 a character', `half \ud800 ${SECRET}`, Buffer.from(SECRET).toString('base64'), '\u0001'.repeat(1_000)];
    expect(await client.texts(texts)).toEqual({ ok: true, value: ['', 'a', `x ${MARK} y`, '\ufeffbom', 'half \ud800 a character', `half \ufffd ${MARK}`, MARK, '\u0001'.repeat(1_000)] });
  });

  it('of 1 MiB, with a secret over every border of its parts', async () => {
    const part = MOST_UNITS / 2;
    let text = '';
    for (let at = part; at <= 1_048_576; at += part) text += `${'😀'.repeat((at - 15 - text.length) >> 1)}${SECRET}`;
    const done = await client.texts([text, 'behind']);
    expect(done.ok && done.value[0] === text.replaceAll(SECRET, MARK)).toBe(true);
    expect(done.ok && done.value[1]).toBe('behind');
  });

  it('of 1 MiB that is all escapes in JSON', async () => {
    const text = '\u0001"\\'.repeat(350_000);
    const done = await client.texts([text]);
    expect(done.ok && done.value[0] === text).toBe(true);
  });

  it('by the thousand, and by many at the same time', async () => {
    const many = Array.from({ length: 5_000 }, (_, at) => `${at} ${at % 7 === 0 ? SECRET : 'nothing'}`);
    const done = await Promise.all([client.texts(many), client.texts(many), client.texts([SECRET])]);
    const clean = many.map((text) => text.replace(SECRET, MARK));
    expect(done).toEqual([{ ok: true, value: clean }, { ok: true, value: clean }, { ok: true, value: [MARK] }]);
  });

  it.each([1, 2, 7, 29, 30, 31, 400])('that come in pieces of %i', async (size) => {
    const text = `${'a '.repeat(20)}${SECRET} and %73%6b%2dproj-0123456789%2B/abcdefghij, 😀`;
    const { push, end } = client.stream();
    let clean = '';
    for (let at = 0; at < text.length; at += size) {
      const part = await push(text.slice(at, at + size));
      clean += part.ok ? part.value : part.error;
    }
    const rest = await end();
    expect(clean + (rest.ok ? rest.value : rest.error)).toBe(`${'a '.repeat(20)}${MARK} and ${MARK}, 😀`);
  });

  it('goes on with the new secrets when they change in the middle, and withholds what nobody can judge', async () => {
    const { push } = client.stream();
    expect(await push(`one ${SECRET} `)).toMatchObject({ ok: true });
    const before = state.open!;
    state.open = redactor([{ name: 'NEW', value: Buffer.from('another-secret-1') }]);
    expect(await push('two another-secret-1 three.')).toMatchObject({ ok: true, value: expect.stringContaining('two [secret NEW removed]') });
    before.wipe();
    const other = client.stream();
    await other.push('half of it: another-sec');
    state.open.wipe();
    state.open = redactor([{ name: 'THIRD', value: Buffer.from('a-third-secret-1') }]);
    expect(await other.push('ret-1 and')).toEqual({ ok: false, error: expect.stringContaining('withheld') });
  });
});

describe('when nobody can tell', () => {
  it('a closed store refuses', async () => {
    state.open = null;
    expect(await client.texts(['a'])).toEqual({ ok: false, error: expect.stringMatching(/closed.*holdfast secret unlock/) });
  });

  it('a process that is gone is refused for, soon and for everybody at once, and found again when it is back', async () => {
    expect(await client.texts([SECRET])).toEqual({ ok: true, value: [MARK] });
    await kill();
    const begun = Date.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.texts([SECRET])));
    expect(answers.every(({ ok }) => !ok)).toBe(true);
    expect(answers[0]).toEqual({ ok: false, error: expect.stringMatching(/holdfast-secretd.*does not answer.*holdfast status/) });
    expect(Date.now() - begun).toBeLessThan(8_000);
    server = await listenOn('redact', socket);
    serveRedactions(server, { redactor: () => state.open, mayAsk: () => true, onRefused: () => undefined });
    await expect.poll(() => client.texts([SECRET]), { timeout: 5_000, interval: 100 }).toEqual({ ok: true, value: [MARK] });
  });
});

describe('a text in pieces', () => {
  it('is refused when the process dies in the middle of it: what was held back is gone', async () => {
    const { push, end } = client.stream();
    expect(await push(`a ${SECRET.slice(0, 20)}`)).toEqual({ ok: true, value: 'a ' });
    for (const socketOf of connections) socketOf.destroy();
    server.close();
    await once(server, 'close');
    server = await listenOn('redact', socket);
    serveRedactions(server, { redactor: () => state.open, mayAsk: () => true, onRefused: () => undefined });
    await sleep(50);
    expect(await push(SECRET.slice(20))).toEqual({ ok: false, error: expect.stringContaining('in the middle of a text') });
    expect((await end()).ok).toBe(false);
    expect(await client.texts([SECRET])).toEqual({ ok: true, value: [MARK] });
  });
});

describe('who may ask', () => {
  it('nobody else: whoever could, could try what is a secret', async () => {
    state.uid = 12_345;
    expect(await client.texts([SECRET])).toMatchObject({ ok: false });
    expect(refused[0]).toMatch(/uid \d+ may not/);
  });

  it.each([
    ['a line that is too long', `{"id":1,"texts":["${'x'.repeat(MAX_REDACT_LINE)}"]}`],
    ['too many characters', `{"id":1,"texts":["${'x'.repeat(MOST_UNITS + 1)}"]}`],
    ['a field that nobody knows', '{"id":1,"texts":[],"secrets":true}'],
    ['a part without its number', '{"id":1,"part":"x"}'],
    ['no JSON', 'redact this'],
  ])('and not with %s', async (_, line) => {
    const raw = connect(socket);
    raw.write(`${line}\n`);
    const [answer] = (await once(raw, 'data')) as [Buffer];
    raw.destroy();
    expect(JSON.parse(answer.toString())).toMatchObject({ ok: false });
  });
});
