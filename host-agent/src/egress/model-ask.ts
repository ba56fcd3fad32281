// SPDX-License-Identifier: Apache-2.0
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import type { ModelAsk } from './egress-wire.ts';

// R26, R82: which model a request asks. By the end of its path, for the same API stands behind many hosts and prefixes, and by the shape
// of its body. Of a host that keeps the API at another path nothing is recognised: which hosts an agent reaches is what bounds that.

type Api = ModelAsk['api'];

/** It becomes a part of a capability (`model:use:NAME`), of an entry, and of what people read. */
const MODEL = /^[!-~]{1,128}$/;

const ENDS: readonly (readonly [end: string, api: Api])[] = [
  ['/v1/messages', 'anthropic-messages'],
  ['/chat/completions', 'openai-chat'],
  ['/responses', 'openai-responses'],
];

/** Asked before the body is read: a path that some server would take for the API's is the API's. */
export function modelApiOf(method: string, path: string): Api | null {
  if (method !== 'POST') return null;
  const plain = path.toLowerCase().replace(/%2f/g, '/').replace(/\/{2,}/g, '/').replace(/(?:;[^/]*|\/)+$/, '');
  return ENDS.find(([end]) => plain.endsWith(end))?.[1] ?? null;
}

/** Null: the path may look like it, but this is no question to a model. `bytes` is the length of the body. */
export function modelAskOf(api: Api, body: JsonValue, bytes: number): ModelAsk | null {
  if (!isObject(body) || typeof body['model'] !== 'string' || !MODEL.test(body['model'])) return null;
  return { api, model: body['model'], maxOutputTokens: mostOutput(api, body), inputBytes: bytes };
}

function mostOutput(api: Api, body: JsonObject): number | null {
  switch (api) {
    case 'anthropic-messages':
      return countOf(body['max_tokens']);
    case 'openai-chat':
      return times(countOf(body['max_completion_tokens']) ?? countOf(body['max_tokens']), body['n']);
    case 'openai-responses':
      return countOf(body['max_output_tokens']);
  }
}

/** Each of the `n` answers may be as long. */
function times(most: number | null, n: JsonValue | undefined): number | null {
  return most === null ? null : most * (countOf(n) ?? 1);
}

function countOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= 1e9 ? value : null;
}

/**
 * A streamed chat answer says what it cost only if it was asked to. Then these bytes are put in after the body's first brace, and all
 * other bytes stay as they are. A request that has a word of its own on this keeps it, and is charged its ceiling if that word was no.
 */
export function usageRequest(api: Api, body: JsonValue): string | null {
  if (api !== 'openai-chat' || !isObject(body) || body['stream'] !== true || Object.hasOwn(body, 'stream_options')) return null;
  return '"stream_options":{"include_usage":true},';
}
