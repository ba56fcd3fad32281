// SPDX-License-Identifier: Apache-2.0
// ITU-T X.690, distinguished encoding, of what a certificate needs. Writing only.

function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...lengthOf(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const digits: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
  return [0x80 | digits.length, ...digits];
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(0x30, ...parts);
export const octets = (bytes: Uint8Array): Uint8Array => element(0x04, bytes);
export const bitString = (bytes: Uint8Array, unused: number): Uint8Array => element(0x03, Uint8Array.of(unused), bytes);
export const boolean = (value: boolean): Uint8Array => element(0x01, Uint8Array.of(value ? 0xff : 0));
/** The bytes as they are: the caller keeps them positive and without leading zeros. */
export const integer = (bytes: Uint8Array): Uint8Array => element(0x02, bytes);
export const context = (number: number, bytes: Uint8Array, constructed: boolean): Uint8Array => element((constructed ? 0xa0 : 0x80) | number, bytes);
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function objectId(arcs: readonly number[]): Uint8Array {
  const [first, second, ...rest] = arcs as [number, number, ...number[]];
  return element(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(arc: number): readonly number[] {
  const digits = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | (left % 128));
  return digits;
}

/** RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from then on. */
export function time(date: Date): Uint8Array {
  const text = `${date.toISOString().replace(/[-T:]/g, '').slice(0, 14)}Z`;
  return date.getUTCFullYear() < 2050 ? element(0x17, bytesOf(text.slice(2))) : element(0x18, bytesOf(text));
}

/** organizationName and commonName. */
export function name(organization: string, common: string): Uint8Array {
  const part = (type: readonly number[], text: string): Uint8Array => element(0x31, sequence(objectId(type), element(0x0c, bytesOf(text))));
  return sequence(part([2, 5, 4, 10], organization), part([2, 5, 4, 3], common));
}
