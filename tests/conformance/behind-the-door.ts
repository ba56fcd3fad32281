// SPDX-License-Identifier: Apache-2.0
// What the suite's requests meet: the real sessions, registry, judge and order of recording, over a ledger in memory.
import { doorHandlers } from '../../host-agent/src/daemon/agent-sessions.ts';
import { unfinishedCalls } from '../../host-agent/src/daemon/unfinished-calls.ts';
import { openCallPlaces } from '../../host-agent/src/door/agent-budget.ts';
import { openMcpSession, type DoorTransport, type McpSession } from '../../host-agent/src/door/mcp-door.ts';
import type { DeclaredAgent } from '../../host-agent/src/config/declared.ts';
import { authorityOf } from '../../host-agent/src/gate/authority.ts';
import type { AgentId, AgentName, PackName } from '../../host-agent/src/identity/ids.ts';
import type { Entry } from '../../host-agent/src/ledger/entry.ts';
import { memoryWorld, must } from '../../host-agent/src/tool-call/testdata/memory-world.ts';
import { ALL_TOOLS, toolRegistry } from '../../host-agent/src/tools/all-tools.ts';
import { fixtureTools } from './fixture-tools.ts';

const AGENT: DeclaredAgent = {
  name: 'conformance' as AgentName,
  pack: 'test' as PackName,
  id: 'agent.test.demo.v1' as AgentId,
  type: 'task',
  mode: 'mediated',
  uid: 61_000,
  program: null,
  start: 'manual',
  capabilities: ['process:list'],
  ceiling: { allow: ['process:list', 'fs:read:/workspace/**'], deny: [] },
  root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
  limits: { timeoutMs: 30_000, memoryMax: 1 << 28, tasksMax: 32, outputMax: 65_536 },
  workspace: '/var/lib/holdfast-workspaces/conformance',
  peers: { agent: '/a', remote: '/r' },
  peerLabels: { agent: 'unconfined', remote: 'unconfined' },
  callLabel: 'unconfined',
};

export type World = {
  readonly open: (transport: DoorTransport) => McpSession;
  readonly entries: () => readonly Entry[];
  readonly faults: () => readonly unknown[];
};

export function openWorld(): World {
  const { ports, kept, faults } = memoryWorld();
  const live = new Set<McpSession>();
  // Later than the answer of the call that changes the list, as in holdfastd, where another connection changes it.
  const toolsChanged = (): void => void setTimeout(() => live.forEach((session) => session.toolsChanged()), 50);
  const tools = toolRegistry([...ALL_TOOLS, ...fixtureTools(toolsChanged)]);
  let ids = 0;
  const handlers = doorHandlers(AGENT, must(authorityOf(AGENT)), {
    ports: { ...ports, tools },
    note: (draft) => void ports.ledger.append(draft, null),
    newId: (kind) => `${kind}${(ids += 1)}`,
    onSessionClosed: () => {},
    track: unfinishedCalls().track,
  });
  return {
    entries: () => kept,
    faults: () => faults,
    open: (transport) => {
      const session: McpSession = openMcpSession(
        handlers.open({ pid: 1, uid: AGENT.uid, cgroup: '/a', label: 'unconfined', via: 'agent' }),
        {
          ...transport,
          close: () => {
            live.delete(session);
            transport.close();
          },
        },
        { version: '0', now: () => performance.now(), places: openCallPlaces(32) },
      );
      live.add(session);
      return session;
    },
  };
}
