// SPDX-License-Identifier: Apache-2.0
import { argon2Sync } from 'node:crypto';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';

/** argon2id (RFC 9106, version 0x13). `m`: KiB, `t`: passes, `p`: lanes; the salt in hex. */
export type Derivation = { readonly m: number; readonly t: number; readonly p: number; readonly salt: string };

/** RFC 9106, 4, the second recommended option, with one lane: Node derives on one thread, and the machine may have 1 GB. */
export const DERIVATION = { m: 64 * 1024, t: 3, p: 1 } as const;

/** Whoever wrote the header may not make us use a terabyte or a year. The least is what a slot of ours could ever have had. */
const BOUNDS = { m: [8 * 1024, 256 * 1024], t: [1, 16], p: [1, 4] } as const;
const SALT_BYTES = 16;
const SALT = /^[0-9a-f]{32}$/;
const KEY_BYTES = 32;

export function newDerivation(random: (bytes: number) => Uint8Array, cost: Omit<Derivation, 'salt'> = DERIVATION): Derivation {
  return { ...cost, salt: Buffer.from(random(SALT_BYTES)).toString('hex') };
}

export function parseDerivation(value: JsonValue | undefined): Result<Derivation> {
  if (!isObject(value)) return refuse('argon2id must be an object');
  const fields = checkFields(value, ['m', 't', 'p', 'salt']);
  if (!fields.ok) return refuse(`argon2id: ${fields.error}`);
  const { m, t, p, salt } = value;
  for (const [name, said] of [['m', m], ['t', t], ['p', p]] as const) {
    const [least, most] = BOUNDS[name];
    if (!isCount(said) || said < least || said > most) return refuse(`argon2id: ${name} must be a whole number from ${least} to ${most}`);
  }
  if (typeof salt !== 'string' || !SALT.test(salt)) return refuse(`argon2id: the salt must be ${SALT_BYTES} bytes in hex`);
  return accept({ m: m as number, t: t as number, p: p as number, salt });
}

/** The caller wipes it. */
export function deriveKey(secret: Uint8Array, { m, t, p, salt }: Derivation): Buffer {
  return argon2Sync('argon2id', { message: secret, nonce: Buffer.from(salt, 'hex'), parallelism: p, tagLength: KEY_BYTES, memory: m, passes: t });
}
