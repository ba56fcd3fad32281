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

test('without a network it is told that there is none; with one, how, where to, with what and for how much', () => {
  const without = authorityGuide(AGENT, heldFrom([]), [], CLOCK);
  expect(without).toContain('There is no network.');
  expect(without).not.toContain('## The network');

  const host = must(parseCapability('net:connect:api.example:443'));
  const key = { name: 'A_KEY', agents: [AGENT.name], hosts: [{ host: 'api.example', port: 443 }], header: { name: 'x-api-key', template: '{}' }, placeholder: 'sk-p' };
  const net = { rules: [], quota: { bytesPerDay: 2 ** 30, requestsPerDay: 500 } };
  const agent = { ...AGENT, defaults: [host], net, secrets: [key], budget: { costPerDay: 5_000_000, tokensPerHour: 500_000 } };
  const whole = authorityGuide(agent, heldFrom([]), [], CLOCK);
  expect(whole).not.toContain('There is no network.');
  const told = sections(whole)['The network'];
  expect(told).toContain('- `api.example:443`\n');
  expect(told).toContain('- `A_KEY: x-api-key to api.example:443`\n');
  expect(told).toContain('$5.00 on models in any 24 hours; 500000 tokens in any 60 minutes; 500 requests and 1024 MiB in any 24 hours');
  expect(told).not.toContain('sk-p');
  expect(sections(authorityGuide({ ...agent, defaults: [], secrets: [] }, heldFrom([]), [], CLOCK))['The network']).toContain('You reach no host now');
});
