// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { RestorePoint } from '../tools/restore-calls.ts';
import { chooseSpans, type RestoreTarget } from './choose-points.ts';

const point = (id: string, call: string, session: string, scope = '.', of = '/workspace'): RestorePoint => ({
  id, of, scope, call, session, tool: 't', at: 0, entries: 0, bytes: 0, own: 0, unread: 0, moving: 0,
});

const POINTS = [
  point('p1', 'c1', 's1'),
  point('p2', 'c2', 's1', 'a/b'),
  point('p3', 'c3', 's1', 'x'),
  point('p4', 'c4', 's1', 'a'),
  point('p5', 'c5', 's2'),
  point('p6', 'c6', 's2', 'a/b'),
  point('e1', 'c6', 's2', '.', '/etc/nginx'),
];

test.each<[string, Exclude<RestoreTarget, { kind: 'image' }>, string | null, string]>([
  ['a call on all ends, for each path, where the next point of that path begins', { kind: 'call', call: 'c1' }, null, '/workspace p1 p2,p3,p4,p5 .'],
  ['a call on a path ends at the next point that covers it', { kind: 'call', call: 'c2' }, null, '/workspace p2 p4 .'],
  ['one of another path does not cover it', { kind: 'call', call: 'c3' }, null, '/workspace p3 p5 .'],
  ['without a later one it ends now', { kind: 'call', call: 'c6' }, '/workspace', '/workspace p6 null .'],
  ['a call can have changed two directories', { kind: 'call', call: 'c6' }, null, '/workspace p6 null . | /etc/nginx e1 null .'],
  ['a path says which', { kind: 'call', call: 'c6' }, '/etc/nginx/conf.d', '/etc/nginx e1 null conf.d'],
  ['a path that has only the same beginning is none', { kind: 'call', call: 'c6' }, '/etc/nginx2', 'refused'],
  ['a session ends after its last call', { kind: 'session', session: 's1', first: 'c1' }, '/workspace', '/workspace p1 p5 .'],
  ['a session whose first point has ended is not half undone', { kind: 'session', session: 's1', first: 'c0' }, null, 'refused'],
  ['a point reaches to now', { kind: 'point', point: 'p3' }, null, '/workspace p3 null .'],
  ['a run that goes on reaches to now, whatever was kept meanwhile', { kind: 'run', point: 'p1', after: [] }, null, '/workspace p1 null .'],
  ['one that is over, to what was kept first since: not all after it is there', { kind: 'run', point: 'p1', after: ['p0', 'p6', 'p5'] }, null, '/workspace p1 p5 .'],
  ['of each path, where that was of one path only', { kind: 'run', point: 'p1', after: ['p4', 'p5'] }, '/workspace/a', '/workspace p1 p4,p5 a'],
  ['nothing was kept since', { kind: 'run', point: 'p5', after: ['p9'] }, null, '/workspace p5 null .'],
  ['a run whose point has ended', { kind: 'run', point: 'p0', after: ['p5'] }, null, 'refused'],
  ['one that is there no more', { kind: 'point', point: 'p0' }, null, 'refused'],
  ['a call without a point', { kind: 'call', call: 'c9' }, null, 'refused'],
])('%s', (_, target, path, expected) => {
  const spans = chooseSpans(POINTS, target, path);
  expect(spans.ok ? spans.value.map(({ of, from, to, path: at }) => `${of} ${from} ${to} ${at}`).join(' | ') : 'refused').toBe(expected);
});
