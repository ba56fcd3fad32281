// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { DeclaredAgent } from '../config/declared.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { EntryDraft } from '../ledger/entry.ts';
import { openAgentRuns } from './agent-runs.ts';
import { confinementFact, confinementOf, watchConfinement } from './confinement.ts';

const agent = (name: string) => ({
  name, program: ['/usr/bin/x'], peerLabels: { agent: 'agent-t (enforce)', remote: 'cli (enforce)' }, callLabel: 'call-t//&runner-t (enforce)',
}) as unknown as DeclaredAgent;

function policyOf(bad: ReadonlySet<string>) {
  return { enforces: (profile: string): Result<null> => (bad.has(profile) ? refuse(`${profile} complains`) : accept(null)) };
}

test('each profile of an agent must hold: its own, its clients\', its runner\'s, its calls\'', () => {
  expect(confinementOf(policyOf(new Set(['other'])), agent('a'))).toEqual(accept(null));
  for (const profile of ['agent-t', 'cli', 'runner-t', 'call-t']) {
    expect(confinementOf(policyOf(new Set([profile])), agent('a'))).toEqual(refuse(`${profile} complains`));
  }
  expect(confinementFact(policyOf(new Set(['call-t'])), [agent('a')])).toEqual({ name: 'agent profiles', state: 'bad', detail: 'a: call-t complains' });
});

test('a program that is confined no more is stopped, said once, and on record', async () => {
  const bad = new Set<string>();
  const active = new Set(['holdfast-agent@a.service', 'holdfast-agent@b.service']);
  const recorded: EntryDraft[] = [];
  const said: string[] = [];
  const runs = openAgentRuns([], { onEnded: () => undefined, onStarted: () => undefined, keep: () => undefined });
  const look = watchConfinement(policyOf(bad), {
    units: {
      startUnit: async () => refuse('not asked for'),
      stopUnit: async (unit) => {
        active.delete(unit);
        return accept(null);
      },
      unitState: async (unit) => accept({ active: active.has(unit) ? 'active' : 'inactive' }),
    },
    runs,
    record: async (draft) => accept(recorded.push(draft)),
    startIsOver: () => undefined,
    lastStop: new Map(),
  }, ({ name }, why) => said.push(`${name}: ${why}`));
  const agents = [agent('a'), { ...agent('b'), peerLabels: { agent: 'other (enforce)', remote: 'cli (enforce)' }, callLabel: 'unconfined' } as DeclaredAgent];
  await look(agents);
  expect([...active, ...said]).toEqual(['holdfast-agent@a.service', 'holdfast-agent@b.service']);
  bad.add('agent-t');
  await look(agents);
  await look(agents);
  expect([...active]).toEqual(['holdfast-agent@b.service']);
  expect(said).toEqual(['a: agent-t complains']);
  expect(recorded).toMatchObject([{ kind: 'agent.stopped', actor: { type: 'system' }, data: { agent: 'a' as AgentName, reason: 'not confined' } }]);
});
