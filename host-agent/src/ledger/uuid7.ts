// SPDX-License-Identifier: Apache-2.0

/** What uuid7 takes of randomness: 74 bits are used. */
export const UUID7_RANDOM_BYTES = 10;

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** RFC 9562, 5.7. It names an entry; it does not order entries, the sequence does. */
export function uuid7(unixMs: number, random: Uint8Array): string {
  if (!Number.isSafeInteger(unixMs) || unixMs < 0 || unixMs >= 2 ** 48) throw new RangeError(`cannot make a UUIDv7 of time ${unixMs}`);
  if (random.length !== UUID7_RANDOM_BYTES) throw new RangeError(`a UUIDv7 needs ${UUID7_RANDOM_BYTES} random bytes`);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(unixMs / 2 ** 32));
  view.setUint32(2, unixMs % 2 ** 32);
  bytes.set(random, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function isUuid7(text: string): boolean {
  return UUID7.test(text);
}
