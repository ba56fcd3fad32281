// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const table = JSON.parse(readFileSync(join(import.meta.dirname, '../src/sandbox/testdata/labels.json'), 'utf8')) as [string, string, boolean][];
const dir = mkdtempSync(join(tmpdir(), 'holdfast-label-'));
const program = join(dir, 'same-label');

beforeAll(() => {
  execFileSync('cc', ['-std=c17', '-Wall', '-Wextra', '-Werror', '-o', program, 'testdata/same-label.c', 'label.c'], { cwd: import.meta.dirname });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(table)('call-init and the runner agree on %j and %j: %s', (a, b, same) => {
  expect(spawnSync(program, [a, b]).status).toBe(same ? 0 : 1);
});
