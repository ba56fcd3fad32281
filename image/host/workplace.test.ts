// SPDX-License-Identifier: Apache-2.0
// Builds, probes and tests of several processes share one cache: what holds its lock must be alone.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('of two processes that want a lock of the cache, one waits for the other', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
  try {
    const seen = join(dir, 'seen');
    const program = join(dir, 'holder.mjs');
    writeFileSync(
      program,
      `import { appendFileSync } from 'node:fs';
       import { withLock } from ${JSON.stringify(join(import.meta.dirname, 'workplace.ts'))};
       await withLock('test', async () => {
         appendFileSync(${JSON.stringify(seen)}, 'in ');
         await new Promise((resolve) => setTimeout(resolve, 200));
         appendFileSync(${JSON.stringify(seen)}, 'out ');
       });`,
    );
    const run = () => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', program], { env: { ...process.env, XDG_CACHE_HOME: dir } });
    await Promise.all([run(), run(), run()]);
    expect(readFileSync(seen, 'utf8')).toBe('in out in out in out ');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
