// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseStrictJson } from '../door/strict-json.ts';
import type { ModelAsk, NetRefusal } from '../egress/egress-wire.ts';
import { headerOf } from '../egress/headers.ts';
import { modelApiOf, modelAskOf, usageRequest } from '../egress/model-ask.ts';
import { refusal } from '../egress/net-refusal.ts';
import type { ReadRequest } from '../egress/read-request.ts';

/** A question to a model, whole: what it costs at most must be known before it is asked. */
export type ModelBody = { readonly ask: ModelAsk; readonly bytes: Buffer };
export type ModelRead = { readonly ok: true; readonly value: ModelBody | null } | { readonly ok: false; readonly refusal: NetRefusal };

/** Pictures stand in it as base64. */
const BODY_MAX = 32 * 1024 * 1024;
const LIMITS = { maxDepth: 128, maxValues: 1_000_000, maxKeys: 1_000_000, maxString: BODY_MAX };
const BODY_IDLE_MS = 30_000;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null where the request's path is no model's: its body passes unread. */
export async function readModelBody(read: ReadRequest, request: IncomingMessage, response: ServerResponse): Promise<ModelRead> {
  const api = modelApiOf(read.method, read.path.judged);
  if (api === null) return { ok: true, value: null };
  if (headerOf(read.headers.kept, 'content-encoding') !== null) return no('it is compressed; send it as it is');
  const bytes = await collect(request, response);
  if (bytes === null) return no(`it is longer than ${BODY_MAX} bytes, or did not come whole`);
  // Strictly, for the host's reader must not find another model in it than ours does (two keys of one name).
  const text = textOf(bytes);
  if (text === null) return no('it is not UTF-8');
  const body = parseStrictJson(text, LIMITS);
  if (!body.ok) return no(body.error);
  const ask = modelAskOf(api, body.value, bytes.length);
  if (ask === null) return no('it names no model');
  const asked = usageRequest(api, body.value);
  return { ok: true, value: { ask, bytes: asked === null ? bytes : withFirst(bytes, asked) } };
}

function textOf(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** What a model says of itself, in the same way. */
export function parseModelAnswer(text: string): unknown {
  const read = parseStrictJson(text, LIMITS);
  return read.ok ? read.value : null;
}

function withFirst(body: Buffer, text: string): Buffer {
  const brace = body.indexOf('{') + 1;
  return Buffer.concat([body.subarray(0, brace), Buffer.from(text), body.subarray(brace)]);
}

function collect(request: IncomingMessage, response: ServerResponse): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (whole: boolean): void => {
      clearTimeout(idle);
      resolve(whole ? Buffer.concat(chunks) : null);
    };
    const idle = setTimeout(() => finish(false), BODY_IDLE_MS);
    request.on('data', (chunk: Buffer) => {
      idle.refresh();
      length += chunk.length;
      if (length > BODY_MAX) {
        chunks.length = 0;
        return finish(false);
      }
      chunks.push(chunk);
    });
    request.once('end', () => finish(length <= BODY_MAX));
    response.once('close', () => finish(false));
  });
}

function no(why: string): ModelRead {
  return { ok: false, refusal: refusal('model_body', `a question to a model is read before it is sent, and this one cannot be: ${why}`) };
}
