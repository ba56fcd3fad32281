// SPDX-License-Identifier: Apache-2.0
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import type { CallPlaces } from './agent-budget.ts';
import { clientOfEnvelope, clientOfInitialize, hasEnvelope, hasPartOfEnvelope, type ClientInfo } from './client-info.ts';
import { rpcError, RPC_BUSY, RPC_INVALID_PARAMS, RPC_INVALID_REQUEST, RPC_NO_METHOD } from './json-rpc.ts';
import type { RpcId, RpcNotification, RpcRequest } from './json-rpc.ts';
import { readTraceParent, type TraceParent } from './trace-parent.ts';
import type { Violation } from './violation-count.ts';

// What a message must satisfy before the MCP library sees it: order of the handshake, ids, known methods, how many calls (B08, B09).

/** Arguments stay here while the library routes the call: nothing reads or changes them between door and judge (A24). */
export type PendingCall = { readonly tool: string; readonly args: JsonObject; readonly trace: TraceParent | null };

export type SessionGate = {
  /** The reply to a request that goes no further; null for one that does, which is then in flight. */
  readonly refuse: (request: RpcRequest) => JsonObject | null;
  readonly passes: (notification: RpcNotification) => boolean;
  /** From here on the call keeps its place until it is settled, also when the session closes before. */
  readonly begin: (id: RpcId) => PendingCall | undefined;
  /** Answered, or ended without an answer: id and place are free again. */
  readonly settle: (id: RpcId) => void;
  /** Nothing is being answered. */
  readonly idle: () => boolean;
  /** What has not begun never will. */
  readonly close: () => void;
};

// All there are. What is not named here, `__proto__` included, reaches no table of methods.
const REQUESTS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'subscriptions/listen',
]);
/** Came with 2026-07-28, whose requests all carry the envelope. */
const WITH_ENVELOPE_ONLY: ReadonlySet<string> = new Set(['server/discover', 'subscriptions/listen']);
const NOTIFICATIONS: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
]);

/** `calls`: of this session at one time. `places`: of its agent, whichever the session. */
export type GateLimits = { readonly calls: number; readonly places: CallPlaces };

export function openSessionGate(
  { calls: maxCalls, places }: GateLimits,
  violate: (why: Violation) => void,
  introduce: (client: ClientInfo) => void,
): SessionGate {
  const inFlight = new Set<RpcId>();
  const calls = new Map<RpcId, PendingCall>();
  const begun = new Set<RpcId>();
  let initialized = false;
  let introduced = false;

  function introduceOnce(client: ClientInfo): void {
    if (introduced) return;
    introduced = true;
    introduce(client);
  }

  function refused(why: Violation, reply: JsonObject): JsonObject {
    violate(why);
    return reply;
  }

  function refuse(request: RpcRequest): JsonObject | null {
    const { id, method, params } = request;
    if (inFlight.has(id)) {
      // Not with that id: the reply would pass for the answer to the request that is still being worked on.
      return refused('id in use', rpcError(null, RPC_INVALID_REQUEST, 'a request with this id is still being answered', { id }));
    }
    if (!REQUESTS.has(method)) return refused('unknown method', rpcError(id, RPC_NO_METHOD, 'there is no such method'));
    const reply = refuseOrder(request) ?? (method === 'tools/call' ? refuseCall(id, params) : null);
    // A subscription stays open without a reply; the library counts those.
    if (reply === null && method !== 'subscriptions/listen') inFlight.add(id);
    return reply;
  }

  /** The 2025 revisions begin with one `initialize`; from 2026-07-28 on every request carries an envelope instead. */
  function refuseOrder({ id, method, params }: RpcRequest): JsonObject | null {
    if (hasEnvelope(params)) {
      introduceOnce(clientOfEnvelope(params));
      return null;
    }
    if (method === 'initialize') return refuseInitialize(id, params);
    if (initialized || method === 'ping') return null;
    // MCP 2026-07-28 wants invalid params for an envelope that is missing or not whole; a client of 2025 is told of its handshake.
    const forgotten = WITH_ENVELOPE_ONLY.has(method) || hasPartOfEnvelope(params);
    const code = forgotten ? RPC_INVALID_PARAMS : RPC_INVALID_REQUEST;
    const reply = rpcError(id, code, 'send initialize first, or the 2026-07-28 envelope in _meta, with its protocolVersion');
    return refused('call before initialize', reply);
  }

  function refuseInitialize(id: RpcId, params: JsonObject): JsonObject | null {
    if (initialized) {
      return refused('initialize twice', rpcError(id, RPC_INVALID_REQUEST, 'this connection is initialized: open another one'));
    }
    const client = clientOfInitialize(params);
    if (client === null) {
      const reply = rpcError(id, RPC_INVALID_PARAMS, 'initialize needs protocolVersion, capabilities and clientInfo with name and version');
      return refused('malformed message', reply);
    }
    initialized = true;
    introduceOnce(client);
    return null;
  }

  function refuseCall(id: RpcId, params: JsonObject): JsonObject | null {
    const { name } = params;
    const args = params['arguments'] ?? Object.create(null);
    if (typeof name !== 'string' || name.length === 0 || name.length > 128 || !isObject(args)) {
      const reply = rpcError(id, RPC_INVALID_PARAMS, 'tools/call needs a name (at most 128 characters) and an object of arguments');
      return refused('malformed tool call', reply);
    }
    if (calls.size >= maxCalls) {
      return refused('too many calls at once', rpcError(id, RPC_BUSY, `${maxCalls} calls are running: wait for one of them to end`));
    }
    if (!places.take()) {
      const reply = rpcError(id, RPC_BUSY, `${places.most} calls of this agent are running: wait for one of them to end`);
      return refused('too many calls at once', reply);
    }
    calls.set(id, { tool: name, args: freeze(args), trace: readTraceParent(params) });
    return null;
  }

  function passes({ method, params }: RpcNotification): boolean {
    if (!NOTIFICATIONS.has(method)) {
      violate('unknown notification');
      return false;
    }
    if (method !== 'notifications/cancelled') return true;
    const about = params['requestId'] as RpcId;
    // Everything but a call is answered at once; cancelling it would only keep its id taken.
    return !inFlight.has(about) || calls.has(about);
  }

  function settle(id: RpcId): void {
    inFlight.delete(id);
    begun.delete(id);
    if (calls.delete(id)) places.give();
  }

  return {
    idle: () => inFlight.size === 0,
    refuse,
    passes,
    begin: (id) => {
      const call = calls.get(id);
      if (call !== undefined) begun.add(id);
      return call;
    },
    settle,
    close: () => {
      for (const id of [...calls.keys()]) if (!begun.has(id)) settle(id);
    },
  };
}

/** What is judged, hashed, recorded and run is one value that nobody can change in between (A24). */
function freeze<T extends JsonValue>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) freeze(item);
    Object.freeze(value);
  }
  return value;
}
