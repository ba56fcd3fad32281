// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runningAgents } from '../effects/running-agents.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { openAgentRuns, type AgentRuns } from './agent-runs.ts';

const DEMO = 'demo' as AgentName;
let told: string[] = [];
let kept: readonly AgentName[] = [];

function open(running: readonly AgentName[] = []): AgentRuns {
  return openAgentRuns(running, {
    onEnded: (agent, { reason, result }) => told.push(`${agent} ${reason}${result === null ? '' : ` ${result}`}`),
    onStarted: (agent) => told.push(`${agent} started`),
    keep: (now) => (kept = now),
  });
}

const news = (active: string, part: { job?: boolean; result?: string } = {}) => ({ active, job: part.job ?? false, result: part.result ?? null });

/** As an operator's start or that of holdfastd goes. */
function started(): AgentRuns {
  const runs = open();
  runs.starting(DEMO);
  runs.seen(DEMO, news('activating', { job: true }));
  runs.seen(DEMO, news('active'));
  runs.started(DEMO);
  return runs;
}

beforeEach(() => {
  told = [];
  kept = [];
});

describe('the end of an agent’s program is recorded once, with its reason', () => {
  test('control: while it runs nothing is told', () => {
    started();
    expect(told).toEqual([]);
    expect(kept).toEqual([DEMO]);
  });

  test.each<[string, readonly ReturnType<typeof news>[], string]>([
    ['it ends by itself', [news('inactive')], 'demo exited'],
    ['it ends by itself and leaves others behind', [news('deactivating'), news('inactive')], 'demo exited'],
    ['it crashes', [news('failed', { result: 'signal 11' })], 'demo failed signal 11'],
    ['it does not end when it is told to', [news('deactivating', { job: true }), news('failed', { result: 'timeout' })], 'demo stopped timeout'],
    ['systemd is asked by somebody else', [news('active', { job: true }), news('deactivating', { job: true }), news('inactive')], 'demo stopped'],
  ])('%s', (_what, heard, said) => {
    const runs = started();
    for (const one of heard) runs.seen(DEMO, one);
    runs.seen(DEMO, news('inactive'));
    expect(told).toEqual([said]);
    expect(kept).toEqual([]);
  });

  test('an operator who stops it records that; holdfastd does not', () => {
    const runs = started();
    expect(runs.stopping(DEMO)).toBe(true);
    for (const active of ['active', 'deactivating', 'inactive']) runs.seen(DEMO, news(active, { job: active !== 'inactive' }));
    expect(told).toEqual([]);
    expect(runs.stopping(DEMO)).toBe(false);
  });

  test('an operator who could not stop it has stopped nothing', () => {
    const runs = started();
    runs.stopping(DEMO);
    runs.notStopped(DEMO);
    runs.seen(DEMO, news('inactive'));
    expect(told).toEqual(['demo exited']);
  });

  test('one that is over before its start is on record ends after it', () => {
    const runs = open();
    runs.starting(DEMO);
    runs.seen(DEMO, news('active'));
    runs.seen(DEMO, news('failed', { result: 'exit-code 1' }));
    expect(told).toEqual([]);
    runs.started(DEMO);
    expect(told).toEqual(['demo failed exit-code 1']);
  });

  test('one that could not be started did not end', () => {
    const runs = open();
    runs.starting(DEMO);
    runs.seen(DEMO, news('failed', { result: 'exit-code 203' }));
    runs.notStarted(DEMO);
    expect(told).toEqual([]);
  });

  test('started again by somebody else: its end and its new start', () => {
    const runs = started();
    for (const active of ['deactivating', 'inactive', 'activating', 'active']) runs.seen(DEMO, news(active, { job: true }));
    expect(told).toEqual(['demo stopped', 'demo started']);
  });

  test('that it failed is known until it starts again', () => {
    const runs = started();
    expect(runs.hasFailed(DEMO)).toBe(false);
    runs.seen(DEMO, news('failed', { result: 'exit-code 1' }));
    expect(runs.hasFailed(DEMO)).toBe(true);
    runs.starting(DEMO);
    expect(runs.hasFailed(DEMO)).toBe(false);
  });
});

describe('an end of which no word came is found by looking', () => {
  const at = (active: string) => async () => accept({ active });
  const now = async (): Promise<void> => undefined;

  test('it is told as unknown, once', async () => {
    const runs = started();
    await runs.look(at('active'), now);
    await runs.look(async () => refuse('no bus'), now);
    expect(told).toEqual([]);
    await Promise.all([runs.look(at('inactive'), now), runs.look(at('inactive'), now)]);
    expect(told).toEqual(['demo unknown']);
  });

  test('word that comes meanwhile says more', async () => {
    const runs = started();
    await runs.look(at('inactive'), async () => runs.seen(DEMO, news('failed', { result: 'signal 9' })));
    expect(told).toEqual(['demo failed signal 9']);
  });

  test('what is being started or stopped is not looked at', async () => {
    const runs = open();
    runs.starting(DEMO);
    await runs.look(at('inactive'), now);
    runs.started(DEMO);
    runs.stopping(DEMO);
    await runs.look(at('inactive'), now);
    expect(told).toEqual([]);
  });

  test('also over a restart of holdfastd in the same boot, and not in another one', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'runs-'));
    const faults: unknown[] = [];
    const file = (boot: string) => runningAgents(dir, boot, (fault) => faults.push(fault));
    expect(file('b1').before).toEqual([]);
    file('b1').keep([DEMO]);
    expect(file('b2').before).toEqual([]);
    await open(file('b1').before).look(at('inactive'), now);
    expect(told).toEqual(['demo unknown']);
    for (const broken of ['', '{', '{"boot":"b1","agents":"demo"}', '{"boot":"b1","agents":["../x"]}']) {
      writeFileSync(join(dir, 'running-agents.json'), broken);
      expect(file('b1').before).toEqual([]);
    }
    rmSync(dir, { recursive: true });
    file('b1').keep([DEMO]);
    expect(faults).toHaveLength(1);
  });
});
