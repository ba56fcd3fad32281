// SPDX-License-Identifier: Apache-2.0
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStrictJson } from '../door/strict-json.ts';
import type { EntryDraft } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/** What holdfast-seed found, as an entry; null when there is nothing to say. Once a boot, not at each start of ours. */
export async function seedDraft(seedResult: string, runtime: string, boot: string): Promise<Result<EntryDraft | null>> {
  try {
    if ((await readFile(markerOf(runtime), 'utf8').catch(() => '')) === boot) return accept(null);
    const read = parseStrictJson(await readFile(seedResult, 'utf8'));
    if (!read.ok) return refuse(`cannot say which seed owns this machine: ${read.error}`);
    const { state, digest, offered, problems } = isObject(read.value) ? read.value : {};
    if (state !== 'claimed' && state !== 'ignored') return accept(null);
    const data = { state, digest: digest ?? null, offered: offered ?? null, problems: Array.isArray(problems) ? problems.length : 0 };
    const kind = state === 'claimed' ? 'seed.claimed' : 'seed.ignored';
    return accept({ kind, actor: { type: 'system', id: 'holdfast-seed' }, trace: null, span: null, data });
  } catch (fault) {
    return refuse(`cannot say which seed owns this machine: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}

export async function markSeedRecorded(runtime: string, boot: string): Promise<void> {
  await writeFile(markerOf(runtime), boot);
}

function markerOf(runtime: string): string {
  return join(runtime, 'seed-recorded');
}
