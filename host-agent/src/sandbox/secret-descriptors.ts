// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { parseSecretName } from '../secret/name.ts';

/** As native/call-launch.c has them: a shell knows descriptors of one digit. */
const FIRST = 5;
export const MOST_SECRETS = 4;

/** A program is told the number of a descriptor, never a value: what stands in an environment is shown by /proc, and inherited. */
export function secretVariables(names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name, at) => [`HOLDFAST_SECRET_FD_${name}`, String(FIRST + at)]));
}

/** Each once, so that a name means one descriptor. */
export function readSecretNames(names: readonly string[]): Result<readonly string[]> {
  if (names.length === 0 || names.length > MOST_SECRETS) return refuse(`a call has 1 to ${MOST_SECRETS} secrets, or none at all`);
  for (const name of names) {
    const parsed = parseSecretName(name);
    if (!parsed.ok) return parsed;
  }
  return new Set(names).size === names.length ? accept(names) : refuse('a secret is named twice');
}
