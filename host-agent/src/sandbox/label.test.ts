// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isSameLabel } from './label.ts';

const table = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/labels.json'), 'utf8')) as [string, string, boolean][];

// native/label.native.test.ts holds call-init to the same table.
test.each(table)('%j and %j: %s', (a, b, same) => {
  expect(isSameLabel(a, b)).toBe(same);
});
