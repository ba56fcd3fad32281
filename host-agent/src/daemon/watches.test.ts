// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keptValue } from '../effects/kept-value.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { openWatches } from './watches.ts';

const A = 'a' as AgentName;
const B = 'b' as AgentName;
let dir = '';
let told: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'watches-'));
  told = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (boot = 'b1') =>
  openWatches(keptValue(join(dir, 'watches.json'), boot, []), {
    onCrossed: (agent, { figure, limit }, value) => told.push(`${agent} ${figure} ${value} beyond ${limit}`),
    onBack: (agent, { figure, limit }, value) => told.push(`${agent} ${figure} ${value} within ${limit}`),
    onBlind: (why) => told.push(`blind: ${why}`),
  });

const set = (limit: number, when: 'above' | 'below' = 'above') => ({ what: 'watch', verb: 'set', figure: 'load_milli', when, limit }) as const;
const clear = (when: 'above' | 'below' = 'above') => ({ what: 'watch', verb: 'clear', figure: 'load_milli', when }) as const;
const load = (one: number) => accept({
  cpus: 1, load_milli: { one, five: 0, fifteen: 0 }, cpu_busy_ms: 0, cpu_idle_ms: 0, uptime_ms: 0,
  memory: { total_bytes: 9, available_bytes: 9, swap_total_bytes: 0, swap_free_bytes: 0 }, var: { total_bytes: 9, available_bytes: 9, files_total: 9, files_free: 9 },
});

describe('a watch', () => {
  test('tells once when its figure crosses the limit, and once when it is back', () => {
    const { watches } = open();
    watches.change(A, set(1000));
    for (const value of [900, 1000, 1001, 5000, 1000, 10]) watches.look(load(value));
    expect(told).toEqual(['a load_milli 1001 beyond 1000', 'a load_milli 1000 within 1000']);
  });

  test('is one for each figure and side: set again it is replaced, and the answer says by what it is undone', () => {
    const { watches } = open();
    expect(watches.change(A, set(1))).toMatchObject({ ok: true, value: { before: null } });
    expect(watches.change(A, set(2))).toMatchObject({ ok: true, value: { before: { limit: 1 }, watches: [{ limit: 2 }] } });
    watches.change(A, set(3, 'below'));
    expect(watches.change(A, clear())).toMatchObject({ ok: true, value: { before: { limit: 2 }, watches: [{ when: 'below' }] } });
    expect(watches.change(A, clear())).toMatchObject({ ok: true, value: { before: null } });
    watches.look(load(2));
    expect(told).toEqual(['a load_milli 2 beyond 3']);
  });

  test('is its own agent\'s, and goes with it', () => {
    const { watches } = open();
    watches.change(A, set(1));
    watches.change(B, set(1));
    expect(watches.change(B, clear())).toMatchObject({ value: { before: { limit: 1 }, watches: [] } });
    watches.change(B, set(1));
    watches.keepOnly([B]);
    watches.look(load(5));
    expect(told).toEqual(['b load_milli 5 beyond 1']);
  });

  test('holds over a restart with what it knew, and not over a boot', () => {
    open().watches.change(A, set(1));
    const again = open();
    expect(again.note).toBeNull();
    again.watches.look(load(5));
    open().watches.look(load(5));
    expect(told).toEqual(['a load_milli 5 beyond 1']);
    open('b2').watches.look(load(0));
    expect(told).toHaveLength(1);
  });
});

describe('what cannot be', () => {
  test.each(['', '{', '{"boot":"b1","value":[{"agent":"../x","watches":[]}]}', '{"boot":"b1","value":[{"agent":"a","watches":[{"figure":"x"}]}]}'])('a file that says %j is no watch, and that is said', (broken) => {
    writeFileSync(join(dir, 'watches.json'), broken);
    const { watches, note } = open();
    expect(note).not.toBeNull();
    watches.look(load(5));
    expect(told).toEqual([]);
  });

  test('one that cannot be kept is refused', () => {
    const { watches } = open();
    rmSync(dir, { recursive: true });
    expect(watches.change(A, set(1))).toMatchObject({ ok: false, error: expect.stringContaining('cannot keep') });
    watches.look(load(5));
    expect(told).toEqual([]);
  });

  test('figures that cannot be read are said once', () => {
    const { watches } = open();
    watches.look(refuse('no /proc'));
    watches.change(A, set(1));
    watches.look(refuse('no /proc'));
    watches.look(refuse('no /proc'));
    watches.look(load(0));
    watches.look(refuse('no /proc'));
    expect(told).toEqual(['blind: no /proc', 'blind: no /proc']);
  });
});
