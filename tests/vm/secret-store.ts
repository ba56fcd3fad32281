// SPDX-License-Identifier: Apache-2.0
// The store of secrets of a machine that test files share: whoever needs it first makes it.
import { holdfast, jsonLines } from './machine.ts';

export const PASSPHRASE = 'correct horse battery staple';

export type SecretStatus = { readonly state: string; readonly secrets: number; readonly generation: number | null };

export const secretStatus = (): SecretStatus => jsonLines<SecretStatus>('secret status')[0]!;

/** `holdfast secret WORDS` with this standard input; an error unless it ends well. */
export function mustSecret(words: string, input = ''): string {
  const ran = holdfast(`secret ${words}`, 'alice', input);
  if (ran.status !== 0) throw new Error(`holdfast secret ${words}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

export function openStore(): void {
  const { state } = secretStatus();
  if (state === 'absent') mustSecret('init', PASSPHRASE);
  else if (state === 'locked') mustSecret('unlock', PASSPHRASE);
}
