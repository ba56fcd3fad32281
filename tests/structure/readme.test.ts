// SPDX-License-Identifier: Apache-2.0
// What the README says to type reaches the machine as it was typed: through the shell, make, and the shell of make's recipe.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { splitWords } from '../../host-agent/src/cli/words.ts';
import { repository } from '../../image/host/workplace.ts';

const lines = readFileSync(join(repository, 'README.md'), 'utf8').split('\n').filter((line) => line.startsWith('make vm-ssh '));

let dir = '';
let node = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
  // In Node's place; newer than the lockfile, so that make has nothing to install.
  node = join(dir, 'node');
  writeFileSync(node, '#!/bin/sh\nshift\nprintf "<%s>" "$@"\n');
  chmodSync(node, 0o755);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const bash = (script: string): string => execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: repository, encoding: 'utf8' });

it('has such lines, with quotes within quotes among them', () => {
  expect(lines.length).toBeGreaterThan(6);
  expect(lines.some((line) => /CMD="[^"]*'/.test(line))).toBe(true);
});

it.each(lines)('%s', (line) => {
  const typed = bash(`make() { printf '<%s>' "\${2#CMD=}"; }\n${line}`);
  expect(bash(line.replace('make ', `make NODE='${node}' `))).toBe(typed);
  expect(splitWords(typed.slice(1, -1))).toMatchObject({ ok: true });
});

it('make vm-ssh without a command: the login shell', () => {
  expect(bash(`make NODE='${node}' vm-ssh`)).toBe('<>');
});
