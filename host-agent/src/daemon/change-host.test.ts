// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { DeclaredAgent } from '../config/declared.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { EntryDraft } from '../ledger/entry.ts';
import { stopProgram, startProgram } from '../door/agent-programs.ts';
import type { RecordedIntent } from '../tool-call/recorded-permit.ts';
import { openAgentRuns } from './agent-runs.ts';
import { hostChanger } from './change-host.ts';

const name = (text: string): AgentName => {
  const parsed = parseAgentName(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

/** A systemd in memory: each unit is active or not, and what was asked of it is known. */
function world(units: Record<string, string>) {
  const asked: string[] = [];
  const recorded: EntryDraft[] = [];
  const job = (verb: string, active: string) => async (unit: string): Promise<Result<null>> => {
    asked.push(`${verb} ${unit}`);
    if (units[unit] === undefined) return refuse('polkit says no');
    units[unit] = active;
    return accept(null);
  };
  const systemd = {
    startUnit: job('start', 'active'),
    stopUnit: job('stop', 'inactive'),
    restartUnit: job('restart', 'active'),
    unitState: async (unit: string) => accept({ active: units[unit] ?? 'inactive', sub: 'x', load: units[unit] === undefined ? 'not-found' : 'loaded', since: null }),
  };
  const agents = ['guard', 'other', 'laptop'].map((n) => ({ name: name(n), program: n === 'laptop' ? null : ['/usr/bin/x'] }) as unknown as DeclaredAgent);
  const ports = {
    units: systemd,
    runs: openAgentRuns([], { onEnded: () => undefined, onStarted: () => undefined, keep: () => undefined }),
    record: async (draft: EntryDraft) => accept(recorded.push(draft)),
    startIsOver: () => undefined,
    lastStop: new Map(),
    confined: () => accept(null),
    keepBeforeRun: async () => accept({ data: {}, letGo: () => undefined }),
    declared: () => ({ agents, problems: [] }),
  };
  const changer = hostChanger(systemd, ports, { change: () => refuse('nothing is watched here') });
  const by = (agent: string) => ({ agent: name(agent) }) as unknown as RecordedIntent;
  const agent = (verb: 'start' | 'stop', of: string, who = 'guard') => changer.change(by(who), { what: 'agent', verb, agent: of });
  const service = (verb: 'start' | 'stop' | 'restart', unit: string) => changer.change(by('guard'), { what: 'service', verb, unit });
  return { asked, recorded, ports, agent, service };
}

const OTHER = 'holdfast-agent@other.service';

describe('services', () => {
  test('what was before and what is after, in systemd\'s words', async () => {
    const { service, asked } = world({ 'a.service': 'inactive' });
    expect(await service('start', 'a.service')).toEqual(accept({ unit: 'a.service', before: { active: 'inactive', sub: 'x' }, after: { active: 'active', sub: 'x' } }));
    expect(await service('restart', 'a.service')).toMatchObject({ ok: true });
    expect(asked).toEqual(['start a.service', 'restart a.service']);
  });

  test('one that systemd does not know is asked for nothing', async () => {
    const { service, asked } = world({});
    expect(await service('start', 'none.service')).toEqual(refuse('cannot start none.service: systemd knows it as not-found'));
    expect(asked).toEqual([]);
  });
});

describe('agents', () => {
  test('stop and start again, each on record with who did it', async () => {
    const { agent, recorded, ports } = world({ [OTHER]: 'active' });
    ports.runs.seen(name('other'), { active: 'active', job: false, result: null });
    expect(await agent('stop', 'other')).toEqual(accept({ agent: 'other', before: 'active', after: 'inactive' }));
    expect(await agent('start', 'other')).toEqual(accept({ agent: 'other', before: 'inactive', after: 'active' }));
    expect(recorded).toMatchObject([
      { kind: 'agent.stopped', actor: { type: 'agent', id: 'guard' }, data: { agent: 'other', reason: 'agent' } },
      { kind: 'agent.started', actor: { type: 'agent', id: 'guard' }, data: { agent: 'other' } },
    ]);
  });

  test('what it did not stop last it does not start: a person, another agent, nobody', async () => {
    const { agent, ports } = world({ [OTHER]: 'inactive' });
    const no = refuse('cannot start other: it was not guard that stopped it last');
    expect(await agent('start', 'other')).toEqual(no);
    await agent('stop', 'other', 'laptop');
    expect(await agent('start', 'other')).toEqual(no);
    await agent('stop', 'other');
    await stopProgram(ports, { type: 'user', id: 'alice' }, name('other'));
    expect(await agent('start', 'other')).toEqual(no);
    // A start by a person takes the word back, too.
    await agent('stop', 'other');
    await startProgram(ports, { type: 'user', id: 'alice' }, name('other'));
    await ports.units.stopUnit(OTHER);
    expect(await agent('start', 'other')).toEqual(no);
  });

  test('only agents, and only those with a program', async () => {
    const { agent, asked } = world({ 'ssh.service': 'active' });
    expect(await agent('stop', 'ssh')).toMatchObject({ ok: false, error: expect.stringContaining('no agent is named ssh') });
    expect(await agent('stop', '../ssh')).toMatchObject({ ok: false });
    expect(await agent('stop', 'laptop')).toEqual(refuse('laptop has no program of its own to stop'));
    expect(asked).toEqual([]);
  });
});
