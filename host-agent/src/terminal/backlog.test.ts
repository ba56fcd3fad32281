// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openBacklog } from './backlog.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: { readonly bytes: Uint8Array }): string => new TextDecoder().decode(read.bytes);

test('each reader has its place, and is told what it came too late for', () => {
  const log = openBacklog(5);
  log.append(bytes('abc'));
  expect(log.read(0, 10)).toEqual({ bytes: bytes('abc'), missed: 0, next: 3 });
  expect(log.read(0, 2)).toEqual({ bytes: bytes('ab'), missed: 0, next: 2 });
  log.append(bytes('defg'));
  expect(log.read(1, 10)).toEqual({ bytes: bytes('cdefg'), missed: 1, next: 7 });
  expect(log.read(7, 10)).toEqual({ bytes: bytes(''), missed: 0, next: 7 });
  // A place that is not there yet is the end.
  expect(log.read(99, 10)).toEqual({ bytes: bytes(''), missed: 0, next: 7 });
  log.append(bytes('0123456789'));
  expect(log.read(7, 10)).toEqual({ bytes: bytes('56789'), missed: 5, next: 17 });
});

test('it is the end of all that came, however it came', () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 9 }), { maxLength: 600 }), fc.integer({ min: 1, max: 40 }), (parts, max) => {
    const log = openBacklog(max);
    for (const part of parts) log.append(bytes(part));
    const all = parts.join('');
    expect(log.end()).toBe(all.length);
    expect(text(log.read(0, 1e6))).toBe(all.slice(-max));
    expect(log.read(0, 1e6).missed).toBe(Math.max(0, all.length - max));
  }), { numRuns: 100 });
});
