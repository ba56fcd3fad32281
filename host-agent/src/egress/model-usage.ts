// SPDX-License-Identifier: Apache-2.0
import type { ModelAsk, ModelUsage } from './egress-wire.ts';

// What a response says that it cost. Vendors count differently: Anthropic's input_tokens leaves out what was cached, OpenAI's has it in.
// Here `input` is what was read anew, `cachedInput` what came from a cache, `cacheWrite` what was put there: the three add up.

type Counts = Pick<ModelUsage, 'input' | 'cachedInput' | 'cacheWrite' | 'output'>;

/** What has been said so far; `whole` once the last word on it was said. */
export type Said = { readonly counts: Counts; readonly whole: boolean };

/**
 * The bound where a response says nothing. No token is shorter than a byte, so the request's bytes bound the tokens of its text; pictures
 * and files that it names by address are not in its bytes, and are not bounded by this. Output: what the request allows at most, else
 * what no listed model goes beyond in one answer.
 */
export const OUTPUT_CEILING = 131_072;

export function ceilingOf(ask: ModelAsk): ModelUsage {
  return { model: ask.model, input: ask.inputBytes, cachedInput: 0, cacheWrite: 0, output: ask.maxOutputTokens ?? OUTPUT_CEILING, said: false };
}

/** An answer that ended before its last word on usage is charged the ceiling of what it had not said: output goes on being counted there. */
export function usageOf(ask: ModelAsk, said: Said | null): ModelUsage {
  if (said === null) return ceilingOf(ask);
  if (said.whole) return { model: ask.model, ...said.counts, said: true };
  return { ...ceilingOf(ask), ...said.counts, output: Math.max(said.counts.output, ask.maxOutputTokens ?? OUTPUT_CEILING), said: false };
}

/** Vendors charge nothing for what they refuse. */
export function freeOfCharge(ask: ModelAsk): ModelUsage {
  return { model: ask.model, input: 0, cachedInput: 0, cacheWrite: 0, output: 0, said: true };
}

/** One event of a stream, or a whole answer: what is known after it. */
export function usageAfter(api: ModelAsk['api'], before: Said | null, event: unknown): Said | null {
  switch (api) {
    case 'anthropic-messages':
      return afterAnthropic(before, event);
    case 'openai-chat': {
      const counts = chatCounts(fieldOf(event, 'usage'));
      return counts === null ? before : { counts, whole: true };
    }
    case 'openai-responses': {
      const type = fieldOf(event, 'type');
      const ended = type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed';
      const counts = responsesCounts(fieldOf(ended ? fieldOf(event, 'response') : event, 'usage'));
      return counts === null ? before : { counts, whole: ended || fieldOf(event, 'object') === 'response' };
    }
  }
}

/** message_start has the input; message_delta repeats what it knows, and its output is the sum so far. */
function afterAnthropic(before: Said | null, event: unknown): Said | null {
  const type = fieldOf(event, 'type');
  if (type === 'message_start') return anthropicSaid(before, fieldOf(fieldOf(event, 'message'), 'usage'), false);
  if (type === 'message_delta') return anthropicSaid(before, fieldOf(event, 'usage'), true);
  return type === 'message' ? anthropicSaid(before, fieldOf(event, 'usage'), true) : before;
}

function anthropicSaid(before: Said | null, usage: unknown, whole: boolean): Said | null {
  const known = before?.counts;
  const output = countOf(fieldOf(usage, 'output_tokens'));
  const input = countOf(fieldOf(usage, 'input_tokens')) ?? known?.input;
  if (output === null || input === undefined) return before;
  const cachedInput = countOf(fieldOf(usage, 'cache_read_input_tokens')) ?? known?.cachedInput ?? 0;
  const cacheWrite = countOf(fieldOf(usage, 'cache_creation_input_tokens')) ?? known?.cacheWrite ?? 0;
  return { counts: { input, cachedInput, cacheWrite, output }, whole };
}

function chatCounts(usage: unknown): Counts | null {
  return inclusive(countOf(fieldOf(usage, 'prompt_tokens')), countOf(fieldOf(usage, 'completion_tokens')), fieldOf(usage, 'prompt_tokens_details'));
}

function responsesCounts(usage: unknown): Counts | null {
  return inclusive(countOf(fieldOf(usage, 'input_tokens')), countOf(fieldOf(usage, 'output_tokens')), fieldOf(usage, 'input_tokens_details'));
}

/** Of its input, what was read from a cache and what was written to one are parts. Vendors that know no writes say nothing of them. */
function inclusive(input: number | null, output: number | null, details: unknown): Counts | null {
  if (input === null || output === null) return null;
  const cachedInput = Math.min(countOf(fieldOf(details, 'cached_tokens')) ?? 0, input);
  const cacheWrite = Math.min(countOf(fieldOf(details, 'cache_write_tokens')) ?? 0, input - cachedInput);
  return { input: input - cachedInput - cacheWrite, cachedInput, cacheWrite, output };
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
