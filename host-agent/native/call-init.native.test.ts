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
  const built = buildNative();
  const program = join(dir, 'call-init');
  const sources = ['call-init.c', 'call-report.c', 'exec-command.c', 'signals.c', 'json-out.c', 'label.c', 'seccomp-filter.c', 'terminal.c', 'testdata/endless-orphans.c'];
  const instead = ['-Dwaitpid=endless_waitpid', '-Dkill=no_kill'];
  execFileSync('cc', ['-std=gnu17', '-O2', '-I', built, ...instead, '-o', program, ...sources], { cwd: import.meta.dirname });
  const notAfter = bootMillis() + 700;
  const args = ['--pid', '--fork', '--mount-proc', '--kill-child', program, '--not-after', String(notAfter), '--label', 'unconfined', '--filter', 'call', '--cwd', '/', '--', '/bin/sleep', '60'];
  const child = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  let report = '';
  child.stdio[3]!.on('data', (bytes: Buffer) => (report += bytes.toString()));
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const end = await new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
  clearTimeout(late);
  expect([end, report]).toEqual([124, expect.stringContaining('"deadline":true')]);
  expect(bootMillis() - notAfter).toBeLessThan(20_000);
  expect(bootMillis()).toBeGreaterThanOrEqual(notAfter);
});

test('outside a namespace of its own it starts nothing, and so ends nothing', async () => {
  const program = join(buildNative(), 'call-init');
  const args = ['--not-after', String(bootMillis() + 5000), '--label', 'unconfined', '--filter', 'call', '--cwd', '/', '--', '/bin/true'];
  // In a namespace all the same, should the guard be missing; only not as its first process.
  const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', '"$0" "$@"; echo survived $?', program, ...args], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  const said = await Promise.all([child.stdio[1], child.stdio[3]].map(async (stream) => {
    let text = '';
    for await (const bytes of stream as NodeJS.ReadableStream) text += String(bytes);
    return text;
  }));
  expect(said).toEqual(['survived 125\n', expect.stringContaining('"error":"pid"')]);
});
