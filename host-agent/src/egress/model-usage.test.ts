// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '../door/strict-json.ts';
import type { ModelAsk } from './egress-wire.ts';
import { modelApiOf, modelAskOf, usageRequest } from './model-ask.ts';
import { usageReader } from './usage-reader.ts';

const ask = (api: ModelAsk['api'], maxOutputTokens: number | null = 500): ModelAsk => ({ api, model: 'm-1', maxOutputTokens, inputBytes: 1000 });
const parse = (text: string): unknown => {
  const read = parseStrictJson(text, { maxString: 32 * 1024 * 1024 });
  return read.ok ? read.value : null;
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sse = (...events: readonly (readonly [string | null, unknown])[]): string => events.map(([name, data]) => `${name === null ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`).join('');
const STREAM = 'text/event-stream; charset=utf-8';
const told = { model: 'm-1', said: true };

describe('a question to a model', () => {
  test.each([
    ['POST', '/v1/messages', 'anthropic-messages'],
    ['POST', '/v1/messages/', 'anthropic-messages'],
    ['POST', '//V1//Messages', 'anthropic-messages'],
    ['POST', '/v1%2Fmessages', 'anthropic-messages'],
    ['POST', '/v1/messages;x', 'anthropic-messages'],
    ['POST', '/v1/chat/completions', 'openai-chat'],
    ['POST', '/api/v1/chat/completions', 'openai-chat'],
    ['POST', '/v1/responses', 'openai-responses'],
    ['POST', '/backend-api/codex/responses', 'openai-responses'],
    ['GET', '/v1/messages', null],
    ['POST', '/v1/messages/count_tokens', null],
    ['POST', '/v1/models', null],
  ])('%s %s: %s', (method, path, api) => expect(modelApiOf(method, path)).toBe(api));

  test.each<[ModelAsk['api'], object, number | null]>([
    ['anthropic-messages', { max_tokens: 4096 }, 4096],
    ['openai-chat', { max_tokens: 10 }, 10],
    ['openai-chat', { max_completion_tokens: 20, max_tokens: 10 }, 20],
    ['openai-chat', { max_tokens: 10, n: 3 }, 30],
    ['openai-responses', { max_output_tokens: 7 }, 7],
    ['openai-responses', {}, null],
    ['openai-chat', { max_tokens: -5 }, null],
    ['openai-chat', { max_tokens: '10' }, null],
  ])('%s %j allows %s of output', (api, more, most) => {
    expect(modelAskOf(api, { model: 'm-1', ...more }, 42)).toEqual({ api, model: 'm-1', maxOutputTokens: most, inputBytes: 42 });
  });

  test.each<[unknown]>([[{}], [[]], ['x'], [{ model: 5 }], [{ model: '' }], [{ model: 'a b' }], [{ model: 'x'.repeat(129) }]])('%j is none', (body) => expect(modelAskOf('openai-chat', body as never, 1)).toBeNull());

  test.each<[ModelAsk['api'], object, boolean]>([
    ['openai-chat', { model: 'm', stream: true }, true],
    ['openai-chat', { model: 'm', stream: false }, false],
    ['openai-chat', { model: 'm' }, false],
    ['openai-chat', { model: 'm', stream: true, stream_options: { include_usage: false } }, false],
    ['openai-responses', { model: 'm', stream: true }, false],
  ])('%s %j: usage is asked for: %s', (api, body, asked) => expect(usageRequest(api, body as never) !== null).toBe(asked));
});

const anthropicStream = sse(
  ['message_start', { type: 'message_start', message: { id: 'x', usage: { input_tokens: 25, cache_read_input_tokens: 100, cache_creation_input_tokens: 7, output_tokens: 1 } } }],
  ['ping', { type: 'ping' }],
  ['content_block_delta', { type: 'content_block_delta', delta: { type: 'text_delta', text: 'my "usage": {"output_tokens": 99999} – ü' } }],
  ['message_delta', { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 15 } }],
  ['message_stop', { type: 'message_stop' }],
);
const chatStream = sse([null, { choices: [{ delta: { content: 'usage' } }], usage: null }], [null, { choices: [], usage: { prompt_tokens: 30, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 10 } } }], [null, '[DONE]']);
const responsesStream = sse(
  ['response.created', { type: 'response.created', response: { usage: null } }],
  ['response.completed', { type: 'response.completed', response: { object: 'response', usage: { input_tokens: 50, input_tokens_details: { cached_tokens: 20 }, output_tokens: 12 } } }],
);

describe('usage', () => {
  test.each<[string, ModelAsk['api'], string, string, object]>([
    ['anthropic, streamed', 'anthropic-messages', STREAM, anthropicStream, { input: 25, cachedInput: 100, cacheWrite: 7, output: 15 }],
    ['anthropic, whole', 'anthropic-messages', 'application/json', JSON.stringify({ type: 'message', usage: { input_tokens: 3, output_tokens: 4 } }), { input: 3, cachedInput: 0, cacheWrite: 0, output: 4 }],
    ['chat, streamed', 'openai-chat', STREAM, chatStream, { input: 20, cachedInput: 10, cacheWrite: 0, output: 9 }],
    ['chat, whole', 'openai-chat', 'application/json', JSON.stringify({ usage: { prompt_tokens: 5, completion_tokens: 6 } }), { input: 5, cachedInput: 0, cacheWrite: 0, output: 6 }],
    ['responses, streamed', 'openai-responses', STREAM, responsesStream, { input: 30, cachedInput: 20, cacheWrite: 0, output: 12 }],
    ['responses, whole', 'openai-responses', 'application/json', JSON.stringify({ object: 'response', usage: { input_tokens: 8, output_tokens: 2 } }), { input: 8, cachedInput: 0, cacheWrite: 0, output: 2 }],
    ['chat, with a cache written', 'openai-chat', 'application/json', JSON.stringify({ usage: { prompt_tokens: 100, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 50 } } }), { input: 30, cachedInput: 20, cacheWrite: 50, output: 6 }],
    ['responses, with more written than there was', 'openai-responses', 'application/json', JSON.stringify({ object: 'response', usage: { input_tokens: 8, output_tokens: 2, input_tokens_details: { cached_tokens: 3, cache_write_tokens: 500 } } }), { input: 0, cachedInput: 3, cacheWrite: 5, output: 2 }],
    ['without the last empty line', 'openai-chat', STREAM, `data: ${JSON.stringify({ usage: { prompt_tokens: 1, completion_tokens: 2 } })}`, { input: 1, cachedInput: 0, cacheWrite: 0, output: 2 }],
    ['with CRLF', 'openai-chat', STREAM, chatStream.replaceAll('\n', '\r\n'), { input: 20, cachedInput: 10, cacheWrite: 0, output: 9 }],
    ['with CR alone', 'openai-chat', STREAM, chatStream.replaceAll('\n', '\r'), { input: 20, cachedInput: 10, cacheWrite: 0, output: 9 }],
  ])('%s, cut anywhere', (_what, api, type, text, counts) => {
    const whole = bytes(text);
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const reader = usageReader(ask(api), type, false, parse);
        const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        for (let n = 1; n < places.length; n += 1) reader.take(whole.subarray(places[n - 1], places[n]));
        expect(reader.usage()).toEqual({ ...told, ...counts });
      }),
      { numRuns: 200 },
    );
  });

  test.each<[string, ModelAsk, string, string, boolean, object]>([
    ['nothing said', ask('openai-chat'), STREAM, sse([null, { choices: [] }]), false, { input: 1000, output: 500 }],
    ['no maximum asked for', ask('openai-chat', null), STREAM, '', false, { input: 1000, output: 131_072 }],
    ['cut before its end', ask('anthropic-messages'), STREAM, anthropicStream.slice(0, anthropicStream.indexOf('event: ping')), false, { input: 25, cachedInput: 100, output: 500 }],
    ['compressed', ask('openai-chat'), 'application/json', '{"usage":{"prompt_tokens":1,"completion_tokens":1}}', true, { input: 1000, output: 500 }],
    ['negative', ask('openai-chat'), 'application/json', '{"usage":{"prompt_tokens":-1,"completion_tokens":1}}', false, { input: 1000, output: 500 }],
    ['two counts', ask('openai-chat'), 'application/json', '{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":0,"completion_tokens":0}}', false, { input: 1000, output: 500 }],
    ['not JSON', ask('openai-chat'), 'application/json', '{"usage":', false, { input: 1000, output: 500 }],
    ['longer than is kept', ask('openai-chat'), 'application/json', `{"usage":{"prompt_tokens":1,"completion_tokens":1},"x":"${'x'.repeat(16 * 1024 * 1024)}"}`, false, { input: 1000, output: 500 }],
  ])('%s: charged its ceiling', (_what, asked, type, text, coded, counts) => {
    const reader = usageReader(asked, type, coded, parse);
    reader.take(bytes(text));
    expect(reader.usage()).toMatchObject({ said: false, ...counts });
  });
});
