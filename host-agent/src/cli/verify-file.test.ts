// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EMPTY_CHAIN, headOf, nextEntry } from '../ledger/chain.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { escapedJson } from './escape.ts';
import { verifyFile } from './verify-file.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'verify-file-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What `holdfast log --json` would have printed of these. */
function saved(all: readonly JsonObject[]): string[] {
  let head = EMPTY_CHAIN;
  return all.map((data, i) => {
    const stamp = { id: `01936b3e-0000-7000-8000-00000000000${i}`, source: 'holdfastd', sourceSeq: i + 1, time: '2026-11-21T09:00:00.000Z' };
    const sealed = nextEntry(head, { kind: 'call.intent', actor: { type: 'agent', id: 'demo' }, trace: null, span: null, data }, stamp);
    if (!sealed.ok) throw new Error(sealed.error);
    head = headOf(sealed.value);
    return escapedJson(sealed.value.entry);
  });
}

async function verdict(lines: readonly string[]): Promise<unknown> {
  const path = join(dir, 'log');
  writeFileSync(path, `${lines.join('\n')}\n`);
  const told = await verifyFile(path, {}, Readable.from([]));
  return told.ok ? told.value : told.error;
}

const deep = (depth: number): JsonObject => (depth === 0 ? {} : { x: deep(depth - 1) });

test('what was printed is good, whatever keys an agent chose (nodejs/node#63785)', async () => {
  // The mere reading of the first is what makes JSON.parse read the others wrong.
  JSON.parse('{"\\\\":1}');
  const lines = saved([{ '\\': 1 }, { '\n': 1 }, { '"': 1, 'é\u2028': 'ü' }, deep(36)]);
  expect(await verdict(lines)).toMatchObject({ verified: 4, first: 1, last: 4 });
});

test.each<[string, (lines: string[]) => string[], string]>([
  ['a value changed', ([a = '', ...rest]) => [a.replace('"n":1', '"n":2'), ...rest], 'previous hash'],
  ['a key twice, of which a reader may take either', ([a = '', ...rest]) => [a.replace('"n":1', '"n":1,"n":1'), ...rest], 'the key "n" twice'],
  ['a line missing', ([a = '', , ...rest]) => [a, ...rest], 'the entry is missing'],
  ['half a line', ([a = '', b = '']) => [a, b.slice(0, 40)], 'no JSON'],
  ['a fraction', ([a = '', ...rest]) => [a.replace('"n":1', '"n":1.5'), ...rest], 'what no entry can say'],
])('%s is bad', async (_what, damage, reason) => {
  const lines = saved([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(await verdict(lines)).toMatchObject({ verified: 3 });
  expect(await verdict(damage(lines))).toMatchObject({ bad: { reason: expect.stringContaining(reason) } });
});

test('- is standard input', async () => {
  const lines = saved([{ n: 1 }, { n: 2 }]);
  const from = (text: string) => verifyFile('-', {}, Readable.from([Buffer.from(text)]));
  expect(await from(`${lines.join('\n')}\n`)).toMatchObject({ ok: true, value: { verified: 2, first: 1, last: 2 } });
  expect(await from(`${lines[1]}\nx\n`)).toMatchObject({ ok: true, value: { bad: { segment: 'standard input:2' } } });
  expect(await from('')).toEqual({ ok: false, error: 'standard input holds no entry of that range' });
});
