// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignSlots, parseSlots, printSlots, SLOT_COUNT, uidOfSlot, userOfSlot } from './slots.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 300);

test('a name keeps its slot; a new one gets the first that nobody ever had', () => {
  const first = assignSlots(new Map(), ['b', 'a']).slots;
  expect([...first]).toEqual([['b', 0], ['a', 1]]);
  expect([...assignSlots(first, ['c', 'a']).slots]).toEqual([['b', 0], ['a', 1], ['c', 2]]);
  expect([uidOfSlot(0), uidOfSlot(63), userOfSlot(7), userOfSlot(63)]).toEqual([30100, 30163, 'hf-agent07', 'hf-agent63']);
});

test('with all slots taken a known name still has its own and a new one has none', () => {
  const names = Array.from({ length: SLOT_COUNT }, (_, i) => `a${i}`);
  const full = assignSlots(new Map(), names).slots;
  expect(full.size).toBe(64);
  expect(assignSlots(full, ['a5', 'new'])).toEqual({ slots: full, without: ['new'] });
});

test('property: no two names ever share a slot, and none moves', () => {
  const names = fc.array(fc.stringMatching(/^[a-z]{1,2}$/), { maxLength: 40 });
  fc.assert(fc.property(fc.array(names, { maxLength: 5 }), (runs) => {
    let slots: ReadonlyMap<string, number> = new Map();
    for (const run of runs) {
      const next = assignSlots(slots, run).slots;
      for (const [name, slot] of slots) expect(next.get(name)).toBe(slot);
      expect(new Set(next.values()).size).toBe(next.size);
      const kept = parseSlots(printSlots(next));
      expect(kept.ok && new Map(kept.value)).toEqual(next);
      slots = next;
    }
  }), { numRuns: COUNT });
});

test.each([
  '', '{', '[]', '{"v":2,"slots":{}}', '{"v":1}', '{"v":1,"slots":{"a":64}}', '{"v":1,"slots":{"a":-1}}', '{"v":1,"slots":{"a":1.5}}',
  '{"v":1,"slots":{"a":1,"b":1}}', '{"v":1,"slots":{"A":1}}', '{"v":1,"slots":{"../x":1}}', '{"v":1,"slots":{},"x":1}',
])('the record %j is refused whole', (text) => {
  expect(parseSlots('{"v":1,"slots":{"a":1}}').ok).toBe(true);
  expect(parseSlots(text).ok).toBe(false);
});
