// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileToolRig } from './testdata/under-filter.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2000);

let dir: string;
let race: string;
const { tool } = fileToolRig();

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-race-'));
  race = join(dir, 'race');
  execFileSync('cc', ['-std=c17', '-O1', '-Wall', '-Wextra', '-Werror', '-o', race, join(import.meta.dirname, 'testdata/race.c')]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Outcome = { readonly tries: number; readonly done: number; readonly refused: number; readonly other: number; readonly escapes: number };

function run(program: string, count: number): Outcome {
  const place = mkdtempSync(join(dir, 'run-'));
  return JSON.parse(execFileSync(race, [program, place, String(count)], { encoding: 'utf8' })) as Outcome;
}

test('A10: a name that is flipped between directory and link never leads the file tool out of its root', { timeout: 60_000 + COUNT * 20 }, () => {
  // Control: in this very race an open without openat2 goes astray, so the race is a real one.
  expect(run('naive', 20_000).escapes).toBeGreaterThan(0);

  const seen = run(tool, COUNT);
  expect(seen).toMatchObject({ tries: COUNT, other: 0, escapes: 0 });
  // Both sides of the flip were met.
  expect(seen.done).toBeGreaterThan(0);
  expect(seen.refused).toBeGreaterThan(0);
});
