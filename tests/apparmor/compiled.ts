// SPDX-License-Identifier: Apache-2.0
// Compiles profiles with the parser that the image build uses, for the same kernel. What is asked of them afterwards is asked of the
// compiled policy, the very bytes that a kernel would load.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProfileFile } from '../../host-agent/src/config/apparmor-profiles.ts';
import { repository, runInTools } from '../../image/host/workplace.ts';
import { readPolicy, type Policy } from './policy.ts';

export async function compiled(files: readonly ProfileFile[]): Promise<ReadonlyMap<string, Policy>> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-profiles-'));
  const [source, out] = [join(dir, 'source'), join(dir, 'out')];
  try {
    mkdirSync(source);
    cpSync(join(repository, 'apparmor.d/abstractions'), join(source, 'abstractions'), { recursive: true });
    for (const { name, text } of files) writeFileSync(join(source, name), text);
    await runInTools([`${repository}:ro`, dir], [join(repository, 'image/host/compile-profiles.sh'), source, out]);
    return new Map(readdirSync(out).map((name) => [name, readPolicy(readFileSync(join(out, name)))]));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
