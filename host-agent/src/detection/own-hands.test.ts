// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { EntryDraft } from '../ledger/entry.ts';
import { canonicalText } from '../ledger/encode.ts';
import { mayWrite } from '../ledger/source.ts';
import type { OwnAct } from './own-act.ts';
import { lostActs, openOwnHands, WATCH } from './own-hands.ts';

function act(serial: number, part: Partial<OwnAct> = {}): OwnAct {
  return {
    serial, wallMs: serial, uid: 30100, pid: 1, ppid: 1, exe: '/usr/bin/true', result: 'ok', whole: true,
    what: { kind: 'exec', program: '/usr/bin/true', argv: ['true'], argc: 1, cwd: '/workspace' }, ...part,
  };
}

/** What stands in the ledger of it: told one by one, and counted. */
function sum(drafts: readonly EntryDraft[]): { readonly told: number; readonly counted: number } {
  const counts = drafts.filter(({ kind }) => kind === 'unmediated.counted').map(({ data }) => Number(data['count']));
  return { told: drafts.length - counts.length, counted: counts.reduce((all, count) => all + count, 0) };
}

describe('acts of contained agents', () => {
  test('few are told one by one, as entries that the ledger takes from holdfast-watch and from nobody else', () => {
    const hands = openOwnHands();
    const paths = ['/workspace/\u202e\n', '/workspace/x'];
    const drafts = [...hands.take('a', act(1), 0), ...hands.take('a', act(2, { what: { kind: 'file', op: 'rename', paths } }), 0), lostActs(3, 'x', false)];
    expect(drafts.map(({ kind }) => kind)).toEqual(['unmediated.exec', 'unmediated.file', 'unmediated.lost']);
    expect(drafts[1]).toMatchObject({ actor: { type: 'agent', id: 'a' }, data: { agent: 'a', mode: 'contained', op: 'rename', paths, serial: 2, at: '1970-01-01T00:00:00.002Z' } });
    for (const { kind, data } of drafts) {
      expect(canonicalText(data)).not.toBe('');
      expect([WATCH, 'holdfastd', 'root', 'holdfast-ledger'].filter((source) => mayWrite(source, kind))).toEqual([WATCH]);
    }
    expect(hands.due(60_000, true)).toEqual([]);
  });

  test('a flood is 256 entries and then a count every five seconds, and the sum is what was done', () => {
    const hands = openOwnHands();
    const drafts: EntryDraft[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      const now = i;
      drafts.push(...hands.take('a', act(i, { exe: `/workspace/${i % 30}`, result: i % 2 === 0 ? 'ok' : 'EACCES' }), now), ...hands.due(now));
    }
    drafts.push(...hands.due(20_000, true));
    expect(sum(drafts).told + sum(drafts).counted).toBe(20_000);
    expect(drafts.length).toBeLessThan(300);
    const [first] = drafts.filter(({ kind }) => kind === 'unmediated.counted');
    const of = first!.data['of'] as readonly { readonly what: string; readonly times: number }[];
    expect(of.reduce((all, { times }) => all + times, 0)).toBe(first!.data['count']);
    expect(of).toHaveLength(17);
    expect(of.map(({ what }) => what)).toContain('others');
  });

  test('one agent’s flood leaves another’s acts told', () => {
    const hands = openOwnHands();
    for (let i = 0; i < 1000; i += 1) hands.take('a', act(i), 0);
    expect(sum(hands.take('b', act(1000), 0))).toEqual({ told: 1, counted: 0 });
    expect(hands.oldest()).toBe(256);
    expect(sum(hands.due(5_000))).toEqual({ told: 0, counted: 744 });
    expect(hands.oldest()).toBe(null);
  });
});
