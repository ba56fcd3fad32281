// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from 'vitest';
import type { NetTurnedAway } from '../egress/egress-wire.ts';
import { refusal } from '../egress/net-refusal.ts';
import type { AgentName } from '../identity/ids.ts';
import { openTurnedAway, type TurnedAway } from './turned-away.ts';

const A = 'a' as AgentName;
const B = 'b' as AgentName;
const PATH = refusal('path', 'the path /private?key=hunter2 is not among those this agent may use');
const PLACE = { host: 'api.test', port: 443 };

let told: NetTurnedAway[];
let warned: unknown[];
let there: boolean;
let now: number;
let away: TurnedAway;

beforeEach(() => {
  [told, warned, there, now] = [[], [], true, 1_000];
  away = openTurnedAway({
    tell: async (refused) => {
      if (there) told.push(refused);
      return there;
    },
    now: () => now,
    log: { warn: (facts) => void warned.push(facts) },
  });
});
const said = async (): Promise<readonly NetTurnedAway[]> => {
  await new Promise((resolve) => setImmediate(resolve));
  return told;
};
const sum = (all: readonly NetTurnedAway[]): number => all.reduce((total, { count }) => total + count, 0);

test('a few are told each with its place, and with nothing else of what was asked', async () => {
  away.add(A, PATH, PLACE);
  away.add(A, refusal('bad_target', 'cannot reach "x"'), null);
  away.add(A, PATH, { host: '[2606:2800:220:1::34]', port: 443 });
  expect(await said()).toEqual([
    { tell: 'refused', agent: A, rule: 'path', host: 'api.test', port: 443, count: 1 },
    { tell: 'refused', agent: A, rule: 'bad_target', host: null, port: null, count: 1 },
    { tell: 'refused', agent: A, rule: 'path', host: null, port: null, count: 1 },
  ]);
  expect(JSON.stringify(told)).not.toContain('hunter2');
});

test('a flood is a few and a count by rule, no refusal is lost, and another agent has its own', async () => {
  for (let n = 0; n < 5_000; n += 1) away.add(A, n % 2 === 0 ? PATH : refusal('bad_request', 'x'), PLACE);
  away.add(B, PATH, PLACE);
  expect(await said()).toHaveLength(21);
  now += 59_000;
  away.tick();
  expect(await said()).toHaveLength(21);
  now += 2_000;
  away.tick();
  expect((await said()).slice(21)).toEqual([
    { tell: 'refused', agent: A, rule: 'path', host: null, port: null, count: 2_490 },
    { tell: 'refused', agent: A, rule: 'bad_request', host: null, port: null, count: 2_490 },
  ]);
  expect(sum(told)).toBe(5_001);
});

test('while holdfastd is away they are counted, and told when it is back; the journal has a word', async () => {
  there = false;
  for (let n = 0; n < 3; n += 1) away.add(A, PATH, PLACE);
  expect(await said()).toEqual([]);
  expect(warned).toEqual(Array.from({ length: 3 }, () => ({ agent: A, rule: 'path', count: 1 })));
  now += 61_000;
  away.tick();
  expect(await said()).toEqual([]);
  there = true;
  now += 61_000;
  away.tick();
  expect(await said()).toEqual([{ tell: 'refused', agent: A, rule: 'path', host: null, port: null, count: 3 }]);
});

test('the end tells what is counted', async () => {
  for (let n = 0; n < 30; n += 1) away.add(A, PATH, PLACE);
  away.flush();
  expect(sum(await said())).toBe(30);
});
