// SPDX-License-Identifier: Apache-2.0
const event = (name: string | null, data: unknown): string => `${name === null ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/** In the form of the Messages API: 25 of input, 100 from the cache, 15 of output. */
export const anthropicStream: readonly string[] = [
  event('message_start', { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 25, cache_read_input_tokens: 100, output_tokens: 1 } } }),
  event('content_block_delta', { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Grüße' } }),
  event('message_delta', { type: 'message_delta', usage: { output_tokens: 15 } }),
  event('message_stop', { type: 'message_stop' }),
];

/** Chat Completions, as it is when usage was asked for: 30 of input, 10 of it from the cache, 9 of output. */
export const chatStream: readonly string[] = [
  event(null, { choices: [{ delta: { content: 'hello' } }], usage: null }),
  event(null, { choices: [], usage: { prompt_tokens: 30, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 10 } } }),
  event(null, '[DONE]'),
];
