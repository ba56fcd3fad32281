// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

declare const brand: unique symbol;
/** As in `secret:use:NAME`. In upper case, so that it is never taken for the name of an agent. */
export type SecretName = string & { readonly [brand]: 'SecretName' };

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

export function parseSecretName(text: string): Result<SecretName> {
  if (NAME.test(text)) return accept(text as SecretName);
  return refuse('the name of a secret must start with A-Z and hold only A-Z, 0-9 and _, at most 64 characters');
}

/** No secret is longer: a key of the kernel holds 32 KiB, and a header must pass through servers that take 8. */
export const VALUE_MAX = 8 * 1024;

/**
 * A value goes into a header of HTTP and nowhere else, so it must be one line of visible ASCII (RFC 9110, 5.5): a line break in it would
 * begin a header of its own. Says what is wrong, never what it holds.
 */
export function valueProblem(value: Uint8Array): string | null {
  if (value.length === 0) return 'the value is empty';
  if (value.length > VALUE_MAX) return `the value is longer than ${VALUE_MAX} bytes`;
  if (value.some((byte) => byte < 0x20 || byte > 0x7e)) return 'the value must be one line of printable ASCII, for it is put into a header of HTTP';
  return value[0] === 0x20 || value.at(-1) === 0x20 ? 'the value begins or ends with a space' : null;
}
