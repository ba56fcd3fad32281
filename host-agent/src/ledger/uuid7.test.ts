// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { isUuid7, uuid7 } from './uuid7.ts';

test('the example of RFC 9562, appendix A.6', () => {
  // unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
  const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  expect(uuid7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
});

test('version and variant are set over whatever was random', () => {
  for (const byte of [0x00, 0xff, 0x55, 0xaa]) expect(isUuid7(uuid7(2 ** 48 - 1, new Uint8Array(10).fill(byte)))).toBe(true);
  expect(isUuid7('017f22e2-79b0-4cc3-98c4-dc0c0c07398f')).toBe(false);
  expect(isUuid7('017f22e2-79b0-7cc3-18c4-dc0c0c07398f')).toBe(false);
});

test('a time before 1970 or too little randomness is a fault', () => {
  expect(() => uuid7(-1, new Uint8Array(10))).toThrow('cannot make a UUIDv7');
  expect(() => uuid7(2 ** 48, new Uint8Array(10))).toThrow('cannot make a UUIDv7');
  expect(() => uuid7(1, new Uint8Array(9))).toThrow('random bytes');
});
