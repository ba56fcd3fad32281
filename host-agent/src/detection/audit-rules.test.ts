// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { rulesFor, sameRules } from './audit-rules.ts';
import { OWN_CALLS } from './own-calls.ts';

/** struct audit_rule_data of linux/audit.h, read back by its own offsets. */
function read(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number): number => view.getUint32(4 * at, true);
  const count = word(2);
  const calls = Array.from({ length: 2048 }, (_, n) => n).filter((n) => (word(3 + (n >> 5)) >>> (n & 31)) & 1);
  const text = new TextDecoder().decode(bytes.subarray(1040));
  const tests = Array.from({ length: count }, (_, i) => [word(67 + i), word(195 + i), word(131 + i)]);
  return { list: word(0), action: word(1), calls, tests, length: word(259), text };
}

describe('the rules of a label', () => {
  const [changes, ...rest] = rulesFor(['holdfast-agent-x-contained']).map(read);
  const who = [[11, 0x4000_0000, 0xc000_003e], [14, 0x4000_0000, 26]];

  test('name whom they are about by the label, and every call of the table is in one', () => {
    expect(changes).toMatchObject({ list: 4, action: 2, tests: who, length: 26, text: 'holdfast-agent-x-contained' });
    const opens = rest.filter(({ list }) => list === 4);
    expect([changes!, ...opens].flatMap(({ calls }) => calls).sort((a, b) => a - b)).toEqual([...OWN_CALLS.keys()].sort((a, b) => a - b));
  });

  test('of an open only where it can change something: the flags are the second argument of one and the third of the other', () => {
    const opens = rest.filter(({ list }) => list === 4).map(({ calls, tests }) => [calls, tests]);
    expect(opens).toEqual([[[2], [...who, [201, 0x0800_0000, 0o1103]]], [[257], [...who, [202, 0x0800_0000, 0o1103]]]]);
  });

  test('leave the title of a process out', () => {
    expect(rest.filter(({ list }) => list === 5)).toMatchObject([{ action: 2, calls: [], tests: [[12, 0x4000_0000, 1327], who[1]] }]);
  });
});

test('rules are the same in any order, and not with one more, one less or another label', () => {
  const ours = rulesFor(['a', 'b']);
  expect(sameRules(ours, ours.toReversed())).toBe(true);
  for (const others of [[], ours.slice(1), [...ours, ours[0]!], rulesFor(['a', 'c'])]) expect(sameRules(ours, others)).toBe(false);
});
