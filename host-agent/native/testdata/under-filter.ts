// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { buildNative } from '../build-once.ts';

/** Compiles under-filter into `dir`; the words before a program that make it run under a filter of call-init. */
export function underFilter(dir: string): (filter: string) => readonly [string, string] {
  const program = join(dir, 'under-filter');
  const native = resolve(import.meta.dirname, '..');
  execFileSync('cc', ['-std=gnu17', '-O2', '-Wall', '-Werror', '-I', buildNative(), '-o', program, 'testdata/under-filter.c', 'seccomp-filter.c'], { cwd: native });
  return (filter) => [program, filter];
}

/** The file tool as a call has it, under its filter: a program of one name, which anybody may run. */
function fileToolUnderFilter(): { readonly tool: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-under-filter-'));
  chmodSync(dir, 0o755);
  const words = [...underFilter(dir)('file-tool'), join(buildNative(), 'file-tool')];
  const tool = join(dir, 'file-tool');
  writeFileSync(tool, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`, { mode: 0o755 });
  return { tool, remove: () => rmSync(dir, { recursive: true }) };
}

/** For the tests of one file: the tool, and for each test a folder of its own with a root and, outside of that, a secret. */
export function fileToolRig(): { readonly tool: string; readonly fresh: () => { readonly dir: string; readonly root: string } } {
  const { tool, remove } = fileToolUnderFilter();
  const made: string[] = [];
  afterAll(remove);
  afterEach(() => {
    for (const dir of made.splice(0)) {
      // What a test has shut is opened again, or it stays for ever.
      spawnSync('chmod', ['-R', 'u+rwX', dir]);
      rmSync(dir, { recursive: true, force: true });
    }
  });
  return {
    tool,
    fresh: () => {
      const dir = mkdtempSync(join(tmpdir(), 'holdfast-file-tool-'));
      made.push(dir);
      for (const name of ['root', 'outside']) mkdirSync(join(dir, name));
      writeFileSync(join(dir, 'outside/secret'), 'CANARY\n');
      return { dir, root: join(dir, 'root') };
    },
  };
}
