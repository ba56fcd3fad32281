// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { AgentName, CallId } from '../identity/ids.ts';
import { workspaceTurns } from './workspace-turns.ts';

const [DEMO, OTHER] = ['demo', 'other'] as AgentName[] as [AgentName, AgentName];
const call = (id: string): CallId => id as CallId;

test('an undo is refused while a call may write, and calls wait while it is under way', async () => {
  const turns = workspaceTurns();
  const [one, two] = [await turns.begin(DEMO, call('c1')), await turns.begin(DEMO, call('c2'))];
  one();
  expect(turns.take(DEMO, false)).toMatchObject({ ok: false, error: expect.stringContaining('c2') });
  expect(turns.take(OTHER, false).ok).toBe(true);
  two();
  const taken = turns.take(DEMO, false);
  if (!taken.ok) throw new Error(taken.error);
  expect(turns.take(DEMO, true)).toMatchObject({ ok: false, error: expect.stringContaining('another undo') });
  let begun = false;
  const waiting = turns.begin(DEMO, call('c3')).then((end) => ((begun = true), end));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(begun).toBe(false);
  taken.value();
  (await waiting)();
  expect(begun).toBe(true);
  expect(turns.take(DEMO, false).ok).toBe(true);
});

test('force takes the turn from calls that write', async () => {
  const turns = workspaceTurns();
  await turns.begin(DEMO, call('c1'));
  expect(turns.take(DEMO, true).ok).toBe(true);
});
