// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseCapability } from '../capability/capability.ts';
import { parseCeiling } from '../capability/ceiling.ts';
import { heldFrom, type Grant } from '../capability/grant.ts';
import type { GrantId, OperatorName } from '../identity/ids.ts';
import { authorityGuide } from './authority-guide.ts';
import { DEMO, memoryWorld, must } from './testdata/memory-world.ts';

const { tools } = memoryWorld();
const CLOCK = { now: () => 1_000, wall: () => '2026-11-21T10:00:00.000Z' };
const AGENT = {
  ...DEMO,
  defaults: [must(parseCapability('fs:read:/workspace/**'))],
  ceiling: must(parseCeiling({ allow: ['fs:read:/workspace/**', 'fs:read:/usr/**', 'process:run:*'], deny: ['fs:read:/usr/lib/holdfast/**'] })),
};
const GRANT: Grant = {
  id: 'g' as GrantId,
  agent: AGENT.name,
  capability: must(parseCapability('process:run:git')),
  notAfter: 601_000,
  usesLeft: 2,
  session: null,
  reason: 'r',
  grantedBy: 'anna' as OperatorName,
};
const sections = (text: string) => Object.fromEntries(text.split(/^## /m).map((part) => [part.split('\n')[0]!, part]));
const guide = (grants: readonly Grant[] = []) => sections(authorityGuide(AGENT, heldFrom(grants), [...tools.values()], CLOCK));

test('what it holds, what it can ask for and what nobody can give it are three lists', () => {
  const told = guide();
  expect(told['What you may do now']).toContain('- `fs:read:/workspace/**`\n');
  expect(told['What you can ask for']).toContain('- `fs:read:/usr/**`\n- `process:run:*`\n');
  expect(told['What you can ask for']).not.toContain('/workspace');
  expect(told['What nobody can give you']).toContain('- `fs:read:/usr/lib/holdfast/**`\n');
});

test('a grant is told with who gave it, its end by the wall clock and its uses', () => {
  expect(guide([GRANT])['What you may do now']).toContain('- `process:run:git (granted by anna until 2026-11-21T10:10:00Z, 2 uses)`\n');
  // It holds a part of what it can still ask for.
  expect(guide([GRANT])['What you can ask for']).toContain('process:run:*');
});

test('who holds all of the ceiling is told that there is nothing to ask for', () => {
  const all = authorityGuide({ ...AGENT, defaults: AGENT.ceiling.allow }, heldFrom([]), [], CLOCK);
  expect(sections(all)['What you can ask for']).toContain('Nothing beyond what you hold.');
});

test('what its own hands may do is told by its mode (R103)', () => {
  const told = (mode: 'mediated' | 'contained') => authorityGuide({ ...AGENT, mode }, heldFrom([]), [], CLOCK);
  expect(told('mediated')).toContain('Your own process only reads /workspace');
  expect(told('contained')).toContain('the kernel records each');
});
