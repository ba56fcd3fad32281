// SPDX-License-Identifier: Apache-2.0
import type { ModelAsk, ModelUsage, NetAsk, NetEnd, NetTurnedAway, SourceWay } from '../egress/egress-wire.ts';
import { isHostName } from '../egress/host-name.ts';
import { isOwnRule } from '../egress/net-refusal.ts';
import { parseAgentName, type CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { isIpv4Text, parseSourceName } from '../secret/source.ts';
import { MOST } from '../usage/account.ts';

// What holdfast-egress says, read strictly. It reads what agents and servers write, so it is not believed more than it must be: what
// does not have its form is refused under its own id, and never ends the connection that other agents' requests go by.

export type EgressMessage =
  | { readonly say: 'ask'; readonly ask: NetAsk }
  | { readonly say: 'source'; readonly way: SourceWay }
  | { readonly say: 'end'; readonly end: NetEnd }
  | { readonly say: 'refused'; readonly refused: NetTurnedAway }
  | { readonly say: 'bad'; readonly id: number | null; readonly why: string };

export const MOST_PATH = 2_048;
const MOST_SECRETS = 16;
const MOST_TOKENS = 2 ** 40;
const MOST_TURNED_AWAY = 1e9;
const APIS: readonly string[] = ['anthropic-messages', 'openai-chat', 'openai-responses'] satisfies readonly ModelAsk['api'][];
const ENDINGS: readonly string[] = ['ok', 'cut', 'deadline', 'quota', 'unreachable', 'refused', 'failed'] satisfies readonly NetEnd['how'][];

export function parseEgressMessage(value: JsonValue): EgressMessage {
  if (!isObject(value)) return { say: 'bad', id: null, why: 'it is no object' };
  if (value['tell'] === 'ended') {
    const end = parseEnd(value);
    return end.ok ? { say: 'end', end: end.value } : { say: 'bad', id: null, why: end.error };
  }
  if (value['tell'] === 'refused') {
    const refused = parseTurnedAway(value);
    return refused.ok ? { say: 'refused', refused: refused.value } : { say: 'bad', id: null, why: refused.error };
  }
  const id = isCount(value['id']) ? value['id'] : null;
  if (value['ask'] === 'source') {
    const way = parseSourceWay(value);
    return way.ok ? { say: 'source', way: way.value } : { say: 'bad', id, why: way.error };
  }
  const ask = parseAsk(value);
  return ask.ok ? { say: 'ask', ask: ask.value } : { say: 'bad', id, why: ask.error };
}

function parseSourceWay(value: JsonObject): Result<SourceWay> {
  const fields = checkFields(value, ['id', 'ask', 'source', 'host', 'port', 'address']);
  if (!fields.ok) return fields;
  const { id, host, port, address } = value;
  if (!isCount(id)) return refuse('id must be a positive integer');
  const source = parseSourceName(String(value['source']));
  if (!source.ok) return source;
  if (typeof host !== 'string' || !isHostName(host)) return refuse('host must be a name in small letters, without a final dot');
  if (!isCount(port) || port > 65_535) return refuse('port must be 1 to 65535');
  if (address !== null && (typeof address !== 'string' || !isIpv4Text(address))) return refuse('address must be null or four decimal numbers');
  return accept({ id, ask: 'source', source: source.value, host, port, address });
}

function parseAsk(value: JsonObject): Result<NetAsk> {
  const fields = checkFields(value, ['id', 'ask', 'agent', 'what', 'host', 'port', 'method', 'path', 'secrets', 'model', 'upgrade']);
  if (!fields.ok) return fields;
  const { id, what, host, port, method, path, secrets, upgrade } = value;
  if (!isCount(id)) return refuse('id must be a positive integer');
  if (value['ask'] !== 'open') return refuse('ask must be open');
  const agent = typeof value['agent'] === 'string' ? parseAgentName(value['agent']) : refuse('agent must be text');
  if (!agent.ok) return agent;
  if (what !== 'tunnel' && what !== 'request') return refuse('what must be tunnel or request');
  if (typeof host !== 'string' || !isHostName(host)) return refuse('host must be a name in small letters, without a final dot, or an IPv4 address');
  if (!isCount(port) || port > 65_535) return refuse('port must be 1 to 65535');
  if (!Array.isArray(secrets) || secrets.length > MOST_SECRETS || !secrets.every(isName)) return refuse('secrets must be a list of names');
  const model = value['model'] === null ? accept(null) : parseModel(value['model']);
  if (!model.ok) return model;
  const common = { id, ask: 'open', agent: agent.value, what, host, port, secrets: [...new Set(secrets as readonly string[])], model: model.value } as const;
  if (what === 'tunnel') {
    const read = method !== null || path !== null || secrets.length > 0 || model.value !== null || upgrade !== null;
    return read ? refuse('of a tunnel nothing is read') : accept({ ...common, method: null, path: null, upgrade: null });
  }
  if (typeof method !== 'string' || !/^[A-Z][A-Z-]{0,23}$/.test(method)) return refuse('method must be a method in capital letters');
  if (typeof path !== 'string' || path.length > MOST_PATH || !/^(?:\/[!-~]*|\*)$/.test(path) || /[?#]/.test(path)) return refuse('path must be the path alone, in printable ASCII');
  if (upgrade !== null && upgrade !== 'websocket') return refuse('upgrade must be websocket or null');
  return accept({ ...common, method, path, upgrade });
}

function parseModel(value: JsonValue | undefined): Result<ModelAsk> {
  if (!isObject(value)) return refuse('model must be an object or null');
  const fields = checkFields(value, ['api', 'model', 'maxOutputTokens', 'inputBytes']);
  if (!fields.ok) return refuse(`model: ${fields.error}`);
  const { api, model, maxOutputTokens, inputBytes } = value;
  if (typeof api !== 'string' || !APIS.includes(api)) return refuse('model.api is not one that is known');
  if (!isModelName(model)) return refuse('model.model must be a name of at most 128 characters');
  if (maxOutputTokens !== null && !isAmount(maxOutputTokens, MOST_TOKENS)) return refuse('model.maxOutputTokens must be a number of tokens or null');
  if (!isAmount(inputBytes, MOST_TOKENS)) return refuse('model.inputBytes must be a number of bytes');
  return accept({ api: api as ModelAsk['api'], model, maxOutputTokens, inputBytes });
}

function parseEnd(value: JsonObject): Result<NetEnd> {
  const fields = checkFields(value, ['tell', 'call', 'how', 'status', 'bytesUp', 'bytesDown', 'address', 'usage', 'why']);
  if (!fields.ok) return fields;
  const { call, how, status, bytesUp, bytesDown, address, why } = value;
  if (typeof call !== 'string' || call.length > 64) return refuse('call must be the id of a permit');
  if (typeof how !== 'string' || !ENDINGS.includes(how)) return refuse('how is not an ending that is known');
  if (status !== null && !(isAmount(status, 999) && status >= 100)) return refuse('status must be an HTTP status or null');
  if (!isAmount(bytesUp, MOST) || !isAmount(bytesDown, MOST)) return refuse('bytesUp and bytesDown must be numbers of bytes');
  if (address !== null && !(typeof address === 'string' && /^[0-9a-fA-F.:]{1,64}$/.test(address))) return refuse('address must be an address or null');
  if (why !== null && !(typeof why === 'string' && why.length <= 1_024)) return refuse('why must be short text or null');
  const usage = value['usage'] === null ? accept(null) : parseUsage(value['usage']);
  if (!usage.ok) return usage;
  return accept({ tell: 'ended', call: call as CallId, how: how as NetEnd['how'], status, bytesUp, bytesDown, address, usage: usage.value, why: why?.toWellFormed() ?? null });
}

function parseTurnedAway(value: JsonObject): Result<NetTurnedAway> {
  const fields = checkFields(value, ['tell', 'agent', 'rule', 'host', 'port', 'count']);
  if (!fields.ok) return fields;
  const { rule, host, port, count } = value;
  const agent = typeof value['agent'] === 'string' ? parseAgentName(value['agent']) : refuse('agent must be text');
  if (!agent.ok) return agent;
  if (typeof rule !== 'string' || !isOwnRule(rule)) return refuse('rule is none of holdfast-egress');
  if (host !== null && !(typeof host === 'string' && isHostName(host))) return refuse('host must be a name or null');
  if (port !== null && !(isCount(port) && port <= 65_535)) return refuse('port must be 1 to 65535 or null');
  if ((host === null) !== (port === null)) return refuse('host and port are both there or both not');
  if (!isCount(count) || count > MOST_TURNED_AWAY) return refuse('count must be a number of requests');
  return accept({ tell: 'refused', agent: agent.value, rule, host, port, count });
}

function parseUsage(value: JsonValue | undefined): Result<ModelUsage> {
  if (!isObject(value)) return refuse('usage must be an object or null');
  const fields = checkFields(value, ['model', 'input', 'cachedInput', 'cacheWrite', 'output', 'said']);
  if (!fields.ok) return refuse(`usage: ${fields.error}`);
  const { model, input, cachedInput, cacheWrite, output, said } = value;
  if (!isModelName(model)) return refuse('usage.model must be a name of at most 128 characters');
  const tokens = [input, cachedInput, cacheWrite, output];
  if (!tokens.every((count) => isAmount(count, MOST_TOKENS))) return refuse('usage must hold numbers of tokens');
  if (typeof said !== 'boolean') return refuse('usage.said must be true or false');
  return accept({ model, input: input as number, cachedInput: cachedInput as number, cacheWrite: cacheWrite as number, output: output as number, said });
}

function isAmount(value: JsonValue | undefined, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}

function isName(value: JsonValue): value is string {
  return typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/.test(value);
}

/** It becomes a part of a capability, of an entry and of what people read. */
function isModelName(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && /^[!-~]{1,128}$/.test(value);
}
