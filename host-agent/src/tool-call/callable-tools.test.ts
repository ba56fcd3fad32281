// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { callableTools } from './callable-tools.ts';
import { DEMO, memoryWorld } from './testdata/memory-world.ts';

test('an agent is shown what its type can hold, now or by a grant, and nothing else', () => {
  const { tools } = memoryWorld();
  const names = (authority: typeof DEMO) => callableTools(tools, authority).map((tool) => tool.name);
  expect(names(DEMO)).toContain('process.run');
  const without = DEMO.ceiling.allow.filter(({ namespace }) => namespace !== 'process');
  const narrow = { ...DEMO, ceiling: { ...DEMO.ceiling, allow: without } };
  expect(names(narrow)).toContain('fs.read');
  expect(names(narrow)).not.toContain('process.run');
});
