// SPDX-License-Identifier: Apache-2.0
import { decodeBase64 } from './ssh-key.ts';

const OEM_STRINGS = 11;
const HEADER = 4;
const MAX_STRUCTURE = 1024 * 1024;
const NAME = /^holdfast\.[a-z][a-z0-9-]{0,60}$/;
const PLAIN = 'io.systemd.credential:';
const BINARY = 'io.systemd.credential.binary:';

export type Credentials = {
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Strings that name a credential of ours and cannot be read. A credential named twice is here and in no value. */
  readonly problems: readonly string[];
};

/**
 * Our credentials in the OEM strings of firmware or hypervisor (SMBIOS 3.7 §6.1.3, §7.12; systemd.system-credentials(7)).
 * Everything that is not `holdfast.*` is as if it were not there: systemd's own would configure the machine (DESIGN §3).
 */
export function readCredentials(structures: readonly Uint8Array[]): Credentials {
  const values = new Map<string, Uint8Array>();
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const structure of structures) {
    const read = stringsOf(structure);
    // A vendor's own broken table is not ours to judge, as long as it does not speak of us.
    if (!read.whole && Buffer.from(structure).includes('holdfast.')) {
      problems.push('SMBIOS OEM strings that name holdfast are cut off or malformed');
    }
    for (const bytes of read.strings) {
      // Latin-1: bytes and characters stay one to one, and names and base64 are ASCII.
      const text = Buffer.from(bytes).toString('latin1');
      const binary = text.startsWith(BINARY);
      if (!binary && !text.startsWith(PLAIN)) continue;
      const equals = text.indexOf('=');
      const name = text.slice((binary ? BINARY : PLAIN).length, equals === -1 ? undefined : equals);
      if (!NAME.test(name)) continue;
      const value = equals === -1 ? null : binary ? decodeBase64(text.slice(equals + 1)) : bytes.subarray(equals + 1);
      if (equals === -1) problems.push(`credential ${name}: there is no = and no value`);
      else if (value === null) problems.push(`credential ${name}: not valid base64 in one line`);
      else if (seen.has(name)) problems.push(`credential ${name} is given twice; neither is used`);
      else values.set(name, value);
      // Which of two is meant cannot be known.
      if (seen.has(name) || value === null) values.delete(name);
      seen.add(name);
    }
  }
  return { values, problems };
}

/** The strings after the formatted area: each ends with NUL, the set with one more. A string without its NUL is left out. */
export function stringsOf(raw: Uint8Array): { readonly strings: readonly Uint8Array[]; readonly whole: boolean } {
  const length = raw[1] ?? 0;
  if (raw.length > MAX_STRUCTURE || raw[0] !== OEM_STRINGS || length <= HEADER || length > raw.length) return { strings: [], whole: false };
  const count = raw[HEADER] ?? 0;
  const strings: Uint8Array[] = [];
  let at = length;
  while (strings.length < count) {
    const end = raw.indexOf(0, at);
    if (end === -1 || end === at) return { strings, whole: false };
    strings.push(raw.subarray(at, end));
    at = end + 1;
  }
  return { strings, whole: raw[at] === 0 };
}
