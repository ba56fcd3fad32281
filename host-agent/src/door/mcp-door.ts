// SPDX-License-Identifier: Apache-2.0
import { ProtocolError, Server } from '@modelcontextprotocol/server';
import type { CallToolResult, JSONRPCMessage, ListToolsResult, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Tool, ToolReply } from '../tools/tool.ts';
import type { CallPlaces } from './agent-budget.ts';
import type { ClientInfo } from './client-info.ts';
import { readRpc, rpcError, RPC_INTERNAL, RPC_INVALID_PARAMS, RPC_PARSE, type RpcId, type RpcRequest } from './json-rpc.ts';
import { listTools } from './list-tools.ts';
import { openSessionGate } from './session-gate.ts';
import type { TraceParent } from './trace-parent.ts';
import { openViolationCount, type Violation } from './violation-count.ts';

/** What stands behind the door of one connection. */
export type SessionHandlers = {
  /** What a client's model is told before its first call. */
  readonly instructions: () => string;
  /** The tools that the agent could call now. */
  readonly listTools: () => readonly Tool[];
  /** The arguments are as the client sent them: whether they fit the tool is judged, and recorded, behind the door (R2). */
  readonly call: (tool: string, args: JsonObject, meta: CallMeta) => Promise<ToolReply | CallRefusal>;
  /** Once, before the first call. */
  readonly onClient: (client: ClientInfo) => void;
  readonly onViolation: (why: Violation, count: number) => void;
  /** A fault of ours while a call was handled. The client is told no more than that there was one. */
  readonly onFault: (error: unknown) => void;
};

/** Where MCP wants a protocol error instead of a tool's own error: a tool that does not exist. */
export type CallRefusal = { readonly protocolError: string };

export type CallMeta = {
  readonly trace: TraceParent | null;
  /** Fires when the client cancels the call or its connection ends. */
  readonly signal: AbortSignal;
};

/** The stream below. `send` is false when the peer does not read and the unsent queue is full. */
export type DoorTransport = {
  readonly send: (message: JsonValue) => boolean;
  readonly close: () => void;
};

export type McpSession = {
  readonly receive: (message: JsonValue) => void;
  /** For a line that was not JSON as we accept it. */
  readonly unreadable: (why: string) => void;
  /** For what the stream below found wrong before there was a message. */
  readonly violate: (why: Violation) => void;
  readonly toolsChanged: () => void;
  /** The client has said all it will say: what it asked for is still answered, then the session closes. */
  readonly ended: () => void;
  /** Every few seconds, so that counts are reported while a session stays open. */
  readonly tick: () => void;
  readonly close: () => void;
};

export type DoorLimits = {
  /** Tool calls at one time. */
  readonly calls: number;
  readonly subscriptions: number;
  readonly reportEveryMs: number;
};

const LIMITS: DoorLimits = { calls: 16, subscriptions: 4, reportEveryMs: 60_000 };

export type McpDoorOptions = {
  readonly version: string;
  /** Milliseconds of a clock that nobody can set back. */
  readonly now: () => number;
  /** Shared by all sessions of the agent. */
  readonly places: CallPlaces;
  readonly limits?: DoorLimits;
};

/** One connection's MCP: 2026-07-28 and, for older clients, the 2025 revisions. */
export function openMcpSession(handlers: SessionHandlers, transport: DoorTransport, options: McpDoorOptions): McpSession {
  const { version, now, places, limits = LIMITS } = options;
  const violations = openViolationCount(handlers.onViolation, limits.reportEveryMs);
  const gate = openSessionGate({ calls: limits.calls, places }, violate, handlers.onClient);
  const servers = new Set<Server>();
  let open = true;
  let ending = false;

  function violate(why: Violation): void {
    violations.add(why, now());
  }

  function send(message: JsonValue): void {
    if (!open || transport.send(message)) return;
    violate('replies not read');
    close();
  }

  function close(): void {
    if (!open) return;
    open = false;
    void stdio.close();
    gate.close();
    violations.flush();
    transport.close();
  }

  function closeWhenAnswered(): void {
    if (ending && gate.idle()) close();
  }

  function ended(): void {
    ending = true;
    closeWhenAnswered();
  }

  const wire: Transport = {
    start: async () => {},
    close: async () => close(),
    send: async (message) => {
      const reply = message as unknown as JsonObject;
      if (!('method' in reply)) gate.settle(reply['id'] as RpcId);
      send(reply);
      closeWhenAnswered();
    },
  };

  function makeServer(): Server {
    const server = new Server(
      { name: 'holdfast', version },
      // The library's own validator compiles schemas to code; nothing here asks a client for input, so there is nothing to validate.
      { capabilities: { tools: { listChanged: true } }, instructions: handlers.instructions(), jsonSchemaValidator: { getValidator: neverValidates } },
    );
    server.setRequestHandler('tools/list', (request) => {
      if (request.params?.cursor !== undefined) throw new ProtocolError(RPC_INVALID_PARAMS, 'the list has one page: send no cursor');
      return { tools: listTools(handlers.listTools()) } as unknown as ListToolsResult;
    });
    server.setRequestHandler('tools/call', (_request, context) => carryOut(context.mcpReq.id, context.mcpReq.signal));
    servers.add(server);
    return server;
  }

  async function carryOut(id: RpcId, signal: AbortSignal): Promise<CallToolResult> {
    const call = gate.begin(id);
    if (call === undefined) throw new ProtocolError(RPC_INTERNAL, 'the call was not kept');
    try {
      const reply = await handlers.call(call.tool, call.args, { trace: call.trace, signal });
      if ('protocolError' in reply) throw new ProtocolError(RPC_INVALID_PARAMS, reply.protocolError);
      return { content: [{ type: 'text', text: reply.text }], structuredContent: reply.data, isError: reply.isError };
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      handlers.onFault(error);
      throw new ProtocolError(RPC_INTERNAL, 'a fault in Holdfast stopped the call; what is known of it is in the ledger');
    } finally {
      // A cancelled call gets no reply (MCP, cancellation); its place is free when it has really ended, not before.
      if (signal.aborted || !open) {
        gate.settle(id);
        closeWhenAnswered();
      }
    }
  }

  const stdio = serveStdio(makeServer, { transport: wire, maxSubscriptions: limits.subscriptions });

  function deliverRequest(request: RpcRequest): void {
    const refusal = gate.refuse(request);
    if (refusal !== null) return send(refusal);
    const params: Record<string, JsonValue> = { ...request.params };
    if (request.method === 'tools/call') delete params['arguments'];
    wire.onmessage?.({ jsonrpc: '2.0', id: request.id, method: request.method, params } as JSONRPCMessage);
  }

  function receive(value: JsonValue): void {
    if (!open) return;
    const message = readRpc(value);
    switch (message.kind) {
      case 'request':
        return deliverRequest(message.request);
      case 'notification':
        if (gate.passes(message.notification)) wire.onmessage?.({ jsonrpc: '2.0', ...message.notification } as JSONRPCMessage);
        return;
      case 'answer':
        return violate('answer without a question');
      case 'malformed':
        violate('malformed message');
        if (message.reply !== null) send(message.reply);
    }
  }

  function unreadable(why: string): void {
    violate('malformed message');
    send(rpcError(null, RPC_PARSE, why));
  }

  function toolsChanged(): void {
    // A server that was only probed is not connected any more; who does not listen is not told.
    for (const server of servers) if (server.transport !== undefined) server.sendToolListChanged().catch(() => {});
  }

  return { receive, unreadable, violate, toolsChanged, ended, tick: () => violations.tick(now()), close };
}

function neverValidates(): never {
  throw new Error('no client is asked for input');
}
