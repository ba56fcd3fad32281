// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { AgentName, CallId } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { toolRegistry } from '../tools/all-tools.ts';
import { SHELL_LASTS_MS } from '../tools/shell-open.ts';
import { callableTools } from './callable-tools.ts';
import { handleToolCall } from './handle-tool-call.ts';
import type { ShellEnd } from './ports.ts';
import { ofShell } from './shell-outcome.ts';
import { callOf, DEMO, LEDGER_DOWN, memoryWorld, result } from './testdata/memory-world.ts';

const OPEN = callOf('shell.open', { program: 'bash' });
const END: ShellEnd = { how: 'closed', ran: accept(result({ exit: { signal: 'SIGHUP' } })), transcript: { digest: 'e'.repeat(64), bytes: 9, missed: 0 } };

function granted() {
  const w = memoryWorld();
  w.grant('g1', 'shell:open', { notAfter: 10 * SHELL_LASTS_MS });
  w.grant('g2', 'process:run:*', { notAfter: 10 * SHELL_LASTS_MS });
  return w;
}

describe('opening a shell', () => {
  test('is judged and recorded as a call, answered when it stands, and its end is recorded when it has ended', async () => {
    const { ports, world, events, kept, opened, afterwards } = granted();
    let ends: (end: ShellEnd) => void = () => undefined;
    world.ends.set('c1' as CallId, new Promise((resolve) => (ends = resolve)));
    const reply = await handleToolCall(OPEN, ports);
    expect(reply).toMatchObject({ isError: false, data: { text: expect.stringContaining('"shell":"c1"') } });
    expect(events).toEqual(['call.intent', 'open']);
    // An hour, whatever a call may take.
    expect(opened[0]).toMatchObject({
      permit: { permit: { notAfter: 1000 + SHELL_LASTS_MS, plan: { terminal: { columns: 80, rows: 24 }, limits: { timeoutMs: SHELL_LASTS_MS } }, stdin: null }, receipt: { signature: 'by a ledger' } },
      owner: { session: 's1', grants: ['g1', 'g2'] },
    });
    ends(END);
    await Promise.all(afterwards);
    expect(events).toEqual(['call.intent', 'open', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ call: 'c1', intent: 1, tool: 'shell.open', status: 'ok', exit: { signal: 'SIGHUP' }, output_digest: 'e'.repeat(64), observed: { by: 'cgroup', ended: 'closed', transcript: { bytes: 9, missed: 0 } } });
  });

  test('is not begun without its record, its capabilities, or room, and ends with the grants it uses', async () => {
    const { ports, world, events, opened, grant, kept } = memoryWorld();
    expect(await handleToolCall(OPEN, ports)).toMatchObject({ isError: true, data: { missing: ['shell:open', 'process:run:bash'], may_ask: ['shell:open', 'process:run:bash'] } });
    grant('g1', 'shell:open');
    expect(await handleToolCall(OPEN, ports)).toMatchObject({ isError: true, data: { missing: ['process:run:bash'] } });
    grant('g2', 'process:run:bash', { notAfter: 5000 });
    world.room = refuse('2 shells are open, and 2 are the most');
    expect(await handleToolCall(OPEN, ports)).toMatchObject({ isError: true, data: { rule: 'shell.room', remedy: '2 shells are open, and 2 are the most. Close one with shell.close.' } });
    world.room = accept(true);
    world.onAppend = async () => LEDGER_DOWN;
    expect(await handleToolCall(OPEN, ports)).toMatchObject({ isError: true, data: { refused: 'ledger_unavailable' } });
    expect(events.includes('open')).toBe(false);
    world.onAppend = async (_, answer) => accept(answer);
    await handleToolCall(OPEN, ports);
    expect(opened[0]!.permit.permit.notAfter).toBe(5000);
    expect(kept.at(-1)!.kind).toBe('call.intent');
  });

  test('one that never stood is an outcome at once', async () => {
    const { ports, world, events, kept } = granted();
    world.onOpen = async () => ({ stands: false, end: { how: 'lost', ran: refuse('busy: wait'), transcript: null } });
    expect(await handleToolCall(OPEN, ports)).toMatchObject({ isError: true, text: expect.stringContaining('busy: wait') });
    expect(events).toEqual(['call.intent', 'open', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ status: 'failed', exit: null, observed: { by: 'none', ended: 'lost', transcript: null } });
  });
});

describe('a call on a shell', () => {
  test('is judged by whose the shell is, recorded with what is typed, and done', async () => {
    const { ports, world, events, kept, used } = memoryWorld();
    world.shells.push({ agent: DEMO.name, id: 'c9' });
    expect(await handleToolCall(callOf('shell.write', { shell: 'c9' }), ports)).toMatchObject({ isError: false });
    expect(events).toEqual(['call.intent', 'use', 'call.outcome']);
    expect(kept[0]!.data).toMatchObject({ rule: 'shell:c9', capabilities: [], grants: [], permit_digest: null, arguments: { shell: 'c9' } });
    expect(used).toEqual([{ shell: 'c9', use: { what: 'write', text: 'x' } }]);
  });

  test('of another agent, or of nobody, is refused as unknown', async () => {
    const { ports, world, events } = memoryWorld();
    world.shells.push({ agent: 'other' as AgentName, id: 'c9' });
    for (const shell of ['c9', 'c8']) {
      expect(await handleToolCall(callOf('shell.write', { shell }), ports)).toMatchObject({ isError: true, data: { refused: 'denied', rule: 'shell.unknown', missing: [], may_ask: [] } });
    }
    world.shells.push({ agent: DEMO.name, id: 'c8' });
    expect(await handleToolCall(callOf('shell.write', { shell: 'c8' }), ports)).toMatchObject({ isError: false });
    world.confined = refuse('its profile complains');
    expect(await handleToolCall(callOf('shell.write', { shell: 'c8' }), ports)).toMatchObject({ isError: true, data: { rule: 'confinement' } });
    expect(events.filter((event) => event === 'use')).toHaveLength(1);
  });
});

test.each<[ShellEnd['how'], string]>([
  ['itself', 'ok'], ['closed', 'ok'], ['idle', 'cancelled'], ['deadline', 'deadline'], ['revoked', 'cancelled'], ['disconnected', 'cancelled'],
  ['cancelled', 'cancelled'], ['stopping', 'cancelled'], ['unrecorded', 'failed'], ['lost', 'failed'],
])('a shell that ended by %s is on record as %s', (how, status) => {
  expect(ofShell({ ...END, how })).toMatchObject({ status, observed: { ended: how } });
});

test('who cannot open a shell is shown none of its tools', () => {
  const tools = toolRegistry();
  const names = (part: Partial<typeof DEMO>) => callableTools(tools, { ...DEMO, ...part }, memoryWorld().ports.grants.heldBy(DEMO.name, 's1' as never, 0)).map(({ name }) => name).filter((name) => name.startsWith('shell.'));
  expect(names({})).toEqual(['shell.close', 'shell.open', 'shell.read', 'shell.write']);
  expect(names({ ceiling: { ...DEMO.ceiling, allow: DEMO.ceiling.allow.filter(({ namespace }) => namespace !== 'shell') } })).toEqual([]);
  expect(names({ ceiling: { ...DEMO.ceiling, allow: DEMO.ceiling.allow.filter(({ namespace }) => namespace !== 'process') } })).toEqual([]);
});
