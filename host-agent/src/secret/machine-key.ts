// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Random } from './store-file.ts';

/**
 * What root's unit (secret-key) says of the key of this machine's own. `given`: whoever runs the machine said one in SMBIOS, or systemd has
 * it from elsewhere. `sealed`: the TPM opened the one that was sealed to it. `failed`: there is a sealed one, and it was not opened.
 */
export type MachineKey = {
  readonly from: 'given' | 'sealed' | 'none' | 'failed';
  /** A TPM 2.0 that a key can be sealed to. */
  readonly tpm: boolean;
  readonly why: string | null;
};

/** Of the length that secret-key seals. */
export const MACHINE_KEY_BYTES = 32;

const LINE = /^(given|sealed|none|failed) (tpm|no-tpm)(?: ([\x20-\x7e]{1,400}))?\n?$/;

/** WHICH TPM [WHY]. */
export function parseMachineKey(text: string): Result<MachineKey> {
  const [, from, tpm, why] = LINE.exec(text) ?? [];
  if (from === undefined || (why === undefined) === (from === 'failed')) return refuse('what was said of the key of this machine cannot be read');
  return accept({ from: from as MachineKey['from'], tpm: tpm === 'tpm', why: why ?? null });
}

/** systemd's credentials may be text: a line break at their end is none of them. So this key never ends with one. */
export function newMachineKey(random: Random): Uint8Array {
  const key = random(MACHINE_KEY_BYTES);
  key[MACHINE_KEY_BYTES - 1]! |= 0x80;
  return key;
}
