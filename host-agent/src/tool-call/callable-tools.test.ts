// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseCapability } from '../capability/capability.ts';
import { parseCeiling } from '../capability/ceiling.ts';
import { heldFrom, type Grant } from '../capability/grant.ts';
import type { GrantId, OperatorName } from '../identity/ids.ts';
import { callableTools } from './callable-tools.ts';
import { DEMO, memoryWorld, must } from './testdata/memory-world.ts';

const { tools } = memoryWorld();
const NONE = heldFrom([]);
const shown = (authority: typeof DEMO, grants = NONE) => callableTools(tools, authority, grants);
const names = (authority: typeof DEMO) => shown(authority).map((tool) => tool.name);

const GRANT: Grant = {
  id: 'g' as GrantId,
  agent: DEMO.name,
  capability: must(parseCapability('process:run:git')),
  notAfter: 1,
  usesLeft: null,
  session: null,
  reason: 'r',
  grantedBy: 'anna' as OperatorName,
};

test('an agent is shown what its type can hold, now or by a grant, and nothing else', () => {
  expect(names(DEMO)).toContain('process.run');
  const without = DEMO.ceiling.allow.filter(({ namespace }) => namespace !== 'process');
  const narrow = { ...DEMO, ceiling: { ...DEMO.ceiling, allow: without } };
  expect(names(narrow)).toContain('fs.read');
  expect(names(narrow)).not.toContain('process.run');
});

test('what the ceiling allows and denies whole is not shown; denied in part it is', () => {
  const denying = (deny: string) => ({ ...DEMO, ceiling: must(parseCeiling({ allow: ['process:run:*'], deny: [deny] })) });
  expect(names(denying('process:run:rm'))).toContain('process.run');
  expect(names(denying('process:run:*'))).not.toContain('process.run');
});

test('a tool that only a grant makes usable says so until there is one', () => {
  const of = (name: string, grants = NONE) => shown(DEMO, grants).find((tool) => tool.name === name)!;
  expect(of('fs.read')).toBe(tools.get('fs.read'));
  expect(of('authority.request')).toBe(tools.get('authority.request'));
  expect(of('process.run')).toEqual({ ...tools.get('process.run'), description: expect.stringMatching(/^process\.run\nYou hold nothing for this tool now: ask/) });
  expect(of('process.run', heldFrom([GRANT]))).toBe(tools.get('process.run'));
});
