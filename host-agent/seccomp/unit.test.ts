// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { unitDropIn } from './unit.ts';
import { readFilter, UNIT_FILTERS } from './write-filters.ts';

test.each(Object.keys(UNIT_FILTERS))('the drop-in of %s allows what the source does, whatever its conditions, and refuses the rest with EPERM', (name) => {
  const lines = unitDropIn(readFilter(name)).split('\n');
  const words = lines.flatMap((line) => /^SystemCallFilter=(.*)$/.exec(line)?.[1]!.split(' ') ?? []);
  const allowed = [...readFilter(name).decisions].filter(([, { kind }]) => kind !== 'refuse').map(([call]) => call);
  expect(words.toSorted()).toEqual(allowed.toSorted());
  // A name with an errno of its own is ignored in an allow-list, with a warning that nobody reads.
  expect(words.filter((word) => !/^[a-z0-9_]+$/.test(word))).toEqual([]);
  expect(lines).toContain('SystemCallErrorNumber=EPERM');
});
