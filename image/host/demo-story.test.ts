// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { demoStory, type StoryEntry } from './demo-story.ts';

let seq = 0;
const entry = (kind: string, data: Record<string, unknown>): StoryEntry => ({ seq: ++seq, kind, actor: { id: 'owner' }, data });
const intent = (tool: string, args: object, rule: string) => entry('call.intent', { tool, arguments: args, rule });
const outcome = (of: StoryEntry, status: string) => entry('call.outcome', { intent: of.seq, status });

test('allowed, refused with rule and remedy, by hand, and the life of a grant', () => {
  const read = intent('fs.read', { path: '/w/a' }, 'grant:g1');
  const again = intent('fs.read', { path: '/w/a' }, 'grant:g1');
  const failed = intent('fs.read', { path: '/w/b' }, 'grant:g1');
  const entries = [
    read, outcome(read, 'ok'), again, outcome(again, 'ok'), failed, outcome(failed, 'error'),
    entry('call.refused', { tool: 'fs.read', arguments: { path: '/etc/shadow' }, rule: 'ceiling.allow', remedy: 'Type task can never hold it.' }),
    entry('grant.requested', { capability: 'fs:read:/x', reason: 'why not' }),
    entry('grant.given', { capability: 'fs:read:/x' }),
    entry('grant.ended', { capability: 'fs:read:/x', how: 'expired' }),
  ];
  const said = ['tools   fs.read', 'denied  run a shell: EACCES', 'denied  reach the network: EAFNOSUPPORT', 'ALLOWED open a door'];
  expect(demoStory(entries.toReversed(), said)).toEqual([
    '  allowed   fs.read /w/a (grant:g1) (2 times)',
    '  REFUSED   fs.read /etc/shadow (ceiling.allow)',
    '            Type task can never hold it.',
    '  by hand   without its door it tried 2 acts; the kernel refused run a shell: EACCES, reach the network: EAFNOSUPPORT',
    '  BY HAND   the kernel did not refuse: open a door',
    '  asked     fs:read:/x: why not',
    '  granted   fs:read:/x by owner',
    '  ended     fs:read:/x: expired',
  ]);
});

test('whatever an agent writes is printable and stays in its lines', () => {
  const hostile = entry('call.refused', { tool: 'fs.read', arguments: { path: `/\x1b[2J\n  granted ${'x'.repeat(5000)}` }, rule: 'r', remedy: 'é'.repeat(300) });
  const lines = demoStory([hostile], [`denied  ${'act, '.repeat(500)}`]);
  expect(lines.length).toBeLessThanOrEqual(7);
  for (const line of lines) expect(line).toMatch(/^ {2}(REFUSED|by hand| {7}) {3}[\x20-\x7e]{0,106}$/);
});

test('never more than 24 lines, and it says so', () => {
  const many = Array.from({ length: 40 }, (_, i) => entry('call.refused', { tool: 'fs.read', arguments: { path: `/${i}` }, rule: 'r', remedy: 'm' }));
  const lines = demoStory(many, []);
  expect(lines).toHaveLength(24);
  expect(lines.at(-1)).toContain('57 more lines');
});

test('of a machine that has run before, its last run alone', () => {
  const run = (path: string) => [entry('agent.started', { agent: 'demo' }), entry('call.refused', { tool: 'fs.read', arguments: { path }, rule: 'r', remedy: 'm' })];
  const lines = demoStory([...run('/before'), ...run('/now')], ['denied  run a shell: EACCES', 'denied  run a shell: EACCES']);
  expect(lines).toEqual(['  REFUSED   fs.read /now (r)', '            m', '  by hand   without its door it tried 1 acts; the kernel refused run a shell: EACCES']);
});
