// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMachineKey, type MachineKey } from '../secret/machine-key.ts';
import { writeDurably } from './durable-file.ts';
import { MOST_TEXT, plain, readIn } from './secret-files.ts';

// A TPM on a slow bus takes seconds for each of sealing and opening, and the partition is written then.
const SEALED_MS = 90_000;
const LOOK_MS = 25;

/** Where nobody has said anything, a key that systemd passes was given by whoever set systemd up. */
const UNSAID: MachineKey = { from: 'given', tpm: false, why: null };

/** What root's unit said of this machine's own key before this start: one word for one start. */
export function takeMachineKey(inside: string): MachineKey {
  const said = readIn(`${inside}/machine-key`, MOST_TEXT);
  rmSync(`${inside}/machine-key`, { force: true });
  if (said.ok && said.value === null) return UNSAID;
  const read = said.ok ? parseMachineKey(said.value!.toString('latin1')) : said;
  return read.ok ? read.value : { from: 'failed', tpm: false, why: read.error };
}

/**
 * Has root's units seal the key to the TPM and keep what comes of it. Null once it lies on the disk, else why not. We never have the TPM; what
 * lies in our folder of /run for this moment is theirs to take away.
 */
export async function sealMachineKey(outside: string, key: Uint8Array, waitMs: number = SEALED_MS): Promise<string | null> {
  const file = `${outside}/machine-key`;
  const answers = [`${file}-kept`, `${file}-failed`] as const;
  for (const answer of answers) rmSync(answer, { force: true });
  writeDurably(file, key, 0o600);
  try {
    for (const until = performance.now() + waitMs; performance.now() < until; await sleep(LOOK_MS)) {
      const [kept, failed] = answers.map((answer) => readIn(answer, MOST_TEXT));
      if (kept!.ok && kept!.value !== null) return null;
      if (failed!.ok && failed!.value !== null) return plain(failed!.value);
    }
    return `the units that seal it and write it to its partition did not answer within ${Math.round(waitMs / 1_000)} s`;
  } finally {
    for (const path of [file, ...answers]) rmSync(path, { force: true });
  }
}
