// SPDX-License-Identifier: Apache-2.0
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';

// JSON-RPC 2.0 as MCP narrows it: no batches (removed in 2025-06-18), ids are strings or integers and never null.

export type RpcId = string | number;
export type RpcRequest = { readonly id: RpcId; readonly method: string; readonly params: JsonObject };
export type RpcNotification = { readonly method: string; readonly params: JsonObject };

export type RpcMessage =
  | { readonly kind: 'request'; readonly request: RpcRequest }
  | { readonly kind: 'notification'; readonly notification: RpcNotification }
  /** We ask clients nothing, so nobody may answer us. JSON-RPC has no reply to an answer. */
  | { readonly kind: 'answer' }
  /** A notification gets no reply, whatever is wrong with it. */
  | { readonly kind: 'malformed'; readonly reply: JsonObject | null };

export const RPC_PARSE = -32700;
export const RPC_INVALID_REQUEST = -32600;
export const RPC_NO_METHOD = -32601;
export const RPC_INVALID_PARAMS = -32602;
export const RPC_INTERNAL = -32603;
/** JSON-RPC leaves -32000 to -32099 to servers; MCP keeps -32020 and beyond for itself. */
export const RPC_BUSY = -32010;

const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);

export function rpcError(id: RpcId | null, code: number, message: string, data?: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } };
}

function malformed(id: RpcId | null, code: number, message: string): RpcMessage {
  return { kind: 'malformed', reply: rpcError(id, code, message) };
}

function readId(value: JsonValue | undefined): RpcId | null {
  if (typeof value === 'string') return value.length <= 256 ? value : null;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

export function readRpc(message: JsonValue): RpcMessage {
  if (Array.isArray(message)) return malformed(null, RPC_INVALID_REQUEST, 'a batch is not accepted: send one message at a time');
  if (!isObject(message)) return malformed(null, RPC_INVALID_REQUEST, 'a message is a JSON object');
  const id = readId(message['id']);
  if (message['jsonrpc'] !== '2.0') return malformed(id, RPC_INVALID_REQUEST, '"jsonrpc" must be "2.0"');
  const { method } = message;
  if (method === undefined && ('result' in message || 'error' in message)) return { kind: 'answer' };
  if (typeof method !== 'string') return malformed(id, RPC_INVALID_REQUEST, '"method" must be a string');
  const asks = 'id' in message;
  if (asks && id === null) {
    return malformed(null, RPC_INVALID_REQUEST, '"id" must be a string of at most 256 characters or an integer within ±(2^53 − 1)');
  }
  const wrong = findWrong(message);
  if (wrong !== null) return id === null ? { kind: 'malformed', reply: null } : malformed(id, wrong.code, wrong.message);
  const params = message['params'] === undefined ? {} : (message['params'] as JsonObject);
  return id === null ? { kind: 'notification', notification: { method, params } } : { kind: 'request', request: { id, method, params } };
}

function findWrong(message: JsonObject): { readonly code: number; readonly message: string } | null {
  const stranger = Object.keys(message).find((key) => !MEMBERS.has(key));
  if (stranger !== undefined) {
    return { code: RPC_INVALID_REQUEST, message: `a request has no member ${JSON.stringify(stranger.slice(0, 40))}` };
  }
  if (message['params'] !== undefined && !isObject(message['params'])) {
    return { code: RPC_INVALID_PARAMS, message: '"params" must be an object' };
  }
  return null;
}
