// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { CallId } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { handleToolCall } from './handle-tool-call.ts';
import { callOf, memoryWorld, result } from './testdata/memory-world.ts';
import type { ToolCallPorts } from './ports.ts';

const WRITE = { path: '/workspace/a/b', content: 'x' };
const KEPT = Buffer.from('{"entries":2,"bytes":1,"kept":1,"unread":0,"moving":0,"scope":"."}\n');

function keepingWorld(answer: () => Partial<RunResult> = () => ({ stderr: KEPT })) {
  const memory = memoryWorld();
  const firsts = new Set<string>();
  const turns: string[] = [];
  const ran: { tool: string; argv: readonly string[]; access: readonly string[] }[] = [];
  let made = 0;
  const ports: ToolCallPorts = {
    ...memory.ports,
    runner: {
      run: async (recorded, stdin, cancelled) => {
        const { tool, plan } = recorded.permit;
        ran.push({ tool, argv: plan.argv, access: plan.bindings.map((b) => `${b.access} ${b.path}`) });
        return tool === 'restore.point' ? accept(result(answer())) : memory.ports.runner.run(recorded, stdin, cancelled);
      },
    },
    restore: {
      roots: ['/workspace'],
      newPointId: () => `p-${(made += 1)}`,
      newCallId: () => `own-${made}` as CallId,
      begin: async (_agent, call) => {
        turns.push(`begin ${call}`);
        return () => void turns.push(`end ${call}`);
      },
      isFirst: (session, root) => !firsts.has(`${session} ${root}`),
      keptFirst: (session, root) => void firsts.add(`${session} ${root}`),
    },
  };
  return { ...memory, ports, ran, turns };
}

test('before a call that may write, what it may write is kept: recorded, by Holdfast itself, in a sandbox that only reads it', async () => {
  const { ports, kept, ran, turns } = keepingWorld();
  expect((await handleToolCall(callOf('fs.write', WRITE), ports)).isError).toBe(false);
  expect(kept.map(({ kind, actor, data }) => [kind, actor.id, data['tool']])).toEqual([
    ['call.intent', 'holdfastd', 'restore.point'],
    ['call.outcome', 'holdfastd', 'restore.point'],
    ['call.intent', 'demo', 'fs.write'],
    ['call.outcome', 'demo', 'fs.write'],
  ]);
  expect(kept[2]!.data['restore']).toEqual(['p-1']);
  expect(ran[0]).toMatchObject({ tool: 'restore.point', access: ['ro /workspace', 'rw /restore'] });
  // No call of the agent's own sees the points.
  expect(ran[1]!.access.join(' ')).not.toContain('/restore');
  expect(turns).toEqual(['begin c1', 'end c1']);
});

test('a session\'s first point is of all, the next ones of the path that is written', async () => {
  const { ports, ran } = keepingWorld();
  for (let i = 0; i < 3; i += 1) await handleToolCall(callOf('fs.write', WRITE), ports);
  const points = ran.filter(({ tool }) => tool === 'restore.point').map(({ argv }) => argv[3]);
  expect(points).toEqual(['.', 'a/b', 'a/b']);
});

test('a call that only reads has no point', async () => {
  const { ports, events } = keepingWorld();
  await handleToolCall(callOf('fs.read', { path: '/workspace/a' }), ports);
  expect(events).toEqual(['call.intent', 'run', 'call.outcome']);
});

test.each<[string, Partial<RunResult>]>([
  ['a full disk', { exit: { code: 1 }, stderr: Buffer.from('{"errno":"ENOSPC","path":"big","what":"cannot be kept: no space is left"}\n') }],
  ['no facts', { stderr: Buffer.from('') }],
  ['the deadline', { exit: { signal: 'SIGKILL' }, deadline: true }],
])('what cannot be kept is not put at stake: %s', async (_, answer) => {
  const { ports, kept, ran } = keepingWorld(() => answer);
  const reply = await handleToolCall(callOf('fs.write', WRITE), ports);
  expect(reply.isError).toBe(true);
  expect(reply.text).toContain('rule restore.point');
  expect(ran.map(({ tool }) => tool)).toEqual(['restore.point']);
  expect(kept.at(-1)).toMatchObject({ kind: 'call.refused', data: { tool: 'fs.write', rule: 'restore.point' } });
});

test('a ledger that does not take the point\'s intent lets nothing run', async () => {
  const { ports, ran, world } = keepingWorld();
  world.onAppend = async () => refuse('no disk');
  expect((await handleToolCall(callOf('fs.write', WRITE), ports)).isError).toBe(true);
  expect(ran).toEqual([]);
});
