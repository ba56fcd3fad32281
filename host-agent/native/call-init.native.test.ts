// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bootMillis } from '../src/effects/clock.ts';
import { buildNative } from './build-once.ts';

const dir = mkdtempSync(join(tmpdir(), 'holdfast-init-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('orphans that end without end do not keep PID 1 from its deadline', async () => {
  buildNative();
  const program = join(dir, 'call-init');
  const sources = ['call-init.c', 'call-report.c', 'exec-command.c', 'json-out.c', 'label.c', 'testdata/endless-orphans.c'];
  const instead = ['-Dwaitpid=endless_waitpid', '-Dkill=no_kill'];
  execFileSync('cc', ['-std=gnu17', '-O2', ...instead, '-o', program, ...sources], { cwd: import.meta.dirname });
  const notAfter = bootMillis() + 700;
  const args = ['--not-after', String(notAfter), '--label', 'unconfined', '--cwd', '/', '--', '/bin/sleep', '3'];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  let report = '';
  child.stdio[3]!.on('data', (bytes: Buffer) => (report += bytes.toString()));
  const late = setTimeout(() => child.kill('SIGKILL'), 3000);
  const end = await new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
  clearTimeout(late);
  expect([end, report]).toEqual([124, expect.stringContaining('"deadline":true')]);
  expect(bootMillis() - notAfter).toBeLessThan(1000);
  expect(bootMillis()).toBeGreaterThanOrEqual(notAfter);
});
