// SPDX-License-Identifier: Apache-2.0
import type { HeldGrants } from '../capability/grant.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import type { CallRefusal, SessionHandlers } from '../door/mcp-door.ts';
import type { DoorHandlers } from '../effects/agent-door.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId, SessionId } from '../identity/ids.ts';
import type { EntryDraft, JsonObject } from '../ledger/entry.ts';
import { authorityGuide } from '../tool-call/authority-guide.ts';
import { callableTools } from '../tool-call/callable-tools.ts';
import { handleToolCall } from '../tool-call/handle-tool-call.ts';
import type { ToolCallPorts } from '../tool-call/ports.ts';
import type { Tool, ToolReply } from '../tools/tool.ts';
import type { UnfinishedCalls } from './unfinished-calls.ts';

/** What the sessions of all agents share. */
export type SessionWorld = {
  readonly ports: ToolCallPorts;
  /** For what has no caller to be refused: it is logged when it cannot be recorded. */
  readonly note: (draft: EntryDraft) => void;
  readonly newId: (kind: 's' | 'c') => string;
  readonly onSessionClosed: (session: SessionId) => void;
  /** Follows the call to its end; null while no new one is taken (R100). */
  readonly track: UnfinishedCalls['track'];
};

/** One agent's door: who it is was settled by the door, what it may do by its declaration. */
export function doorHandlers(agent: DeclaredAgent, authority: AgentAuthority, world: SessionWorld): DoorHandlers {
  return {
    confined: () => world.ports.confined(agent.name),
    onRefused: (why, count) => world.note(draft(agent.name, 'door.refused', { agent: agent.name, why, count })),
    open: ({ via }) => {
      const session = world.newId('s') as SessionId;
      let opened = false;
      return {
        ...handlersOf(agent, authority, session, world),
        onClient: ({ name, version, protocol }) => {
          opened = true;
          world.note(draft(agent.name, 'session.opened', { session, agent: agent.name, id: agent.id, via, client: { name, version, protocol } }));
        },
        onClosed: () => {
          world.onSessionClosed(session);
          if (opened) world.note(draft(agent.name, 'session.closed', { session, agent: agent.name }));
        },
      };
    },
  };
}

function handlersOf(
  agent: DeclaredAgent,
  authority: AgentAuthority,
  session: SessionId,
  world: SessionWorld,
): Omit<SessionHandlers, 'onClient'> {
  const { tools, grants, clock } = world.ports;
  const held = (): HeldGrants => grants.heldBy(authority.name, session, clock.now());
  const callable = (): readonly Tool[] => callableTools(tools, authority, held());
  return {
    instructions: () => authorityGuide(authority, held(), callable(), clock),
    listTools: callable,
    call: async (tool, args, { trace, signal }) => {
      const id = world.newId('c') as CallId;
      const call = { id, session, agent: authority, tool, arguments: args, trace, cancelled: signal, goesOn: (rest: Promise<unknown>) => void world.track(() => rest) };
      const reply = world.track(() => handleToolCall(call, world.ports));
      if (reply === null) return { protocolError: 'holdfastd is stopping: connect again in a moment' };
      return unknownTool(await reply);
    },
    onViolation: (why, count) => world.note(draft(agent.name, 'door.refused', { agent: agent.name, session, why, count })),
    onFault: world.ports.onFault,
  };
}

/** MCP wants a protocol error for a tool that does not exist; the refusal is in the ledger like every other. */
function unknownTool(reply: ToolReply): ToolReply | CallRefusal {
  return reply.data['refused'] === 'unknown_tool' ? { protocolError: reply.text } : reply;
}

function draft(agent: AgentName, kind: EntryDraft['kind'], data: JsonObject): EntryDraft {
  return { kind, actor: { type: 'agent', id: agent }, trace: null, span: null, data };
}
