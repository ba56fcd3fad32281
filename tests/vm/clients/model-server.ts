// SPDX-License-Identifier: Apache-2.0
// A model that follows a script, for agents that speak the Responses API with server-sent events. It keeps nothing between
// requests: how many tool results a request carries says which turn is next, and the newest one must fit that turn.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Turn = {
  /** What the result of the turn before must show, or the agent gets an error and fails. */
  readonly seen?: RegExp;
  readonly say: string;
  /** A tool as the agent names it to the model. */
  readonly call?: { readonly tool: string; /** Text for a tool that takes free text. */ readonly args: object | string };
};

/** One request of the agent, as far as the tests look at it. */
export type Asked = { readonly key: string; readonly tools: readonly string[]; readonly results: readonly string[] };

export type Model = { readonly url: string; readonly asked: Asked[]; readonly problems: string[]; readonly close: () => Promise<void> };

type Item = Record<string, unknown>;
type Offered = { readonly name: string; readonly namespace?: string };

export async function startModel(name: string, turns: readonly Turn[]): Promise<Model> {
  const asked: Asked[] = [];
  const problems: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string): void => {
      problems.push(message);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message, type: 'invalid_request_error', code: 'script' } }));
    };
    if (request.method !== 'POST' || !request.url?.endsWith('/responses')) return refuse(404, `not scripted: ${request.method} ${request.url}`);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as { tools?: Item[]; input?: Item[] };
    const offered = (body.tools ?? []).flatMap(toolsOf);
    const results = (body.input ?? []).filter((item) => String(item['type']).endsWith('_call_output')).map((item) => textOf(item['output']));
    asked.push({ key: request.headers.authorization ?? '', tools: offered.map(fullName), results });
    const turn = turns[results.length];
    if (turn === undefined) return refuse(400, `no turn ${results.length}`);
    if (turn.seen !== undefined && !turn.seen.test(results.at(-1) ?? '')) return refuse(400, `turn ${results.length}: not ${turn.seen}: ${results.at(-1)}`);
    const tool = offered.find((one) => fullName(one) === turn.call?.tool);
    if (turn.call !== undefined && tool === undefined) return refuse(400, `turn ${results.length}: ${turn.call.tool} is not offered`);
    const items: Item[] = [message(results.length, turn.say)];
    if (turn.call !== undefined) {
      const id = `call_${results.length}`;
      const { args } = turn.call;
      const given = typeof args === 'string' ? { type: 'custom_tool_call', input: args } : { type: 'function_call', arguments: JSON.stringify(args) };
      items.push({ ...given, id: `fc_${id}`, call_id: id, status: 'completed', ...tool });
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const [i, event] of eventsOf(name, items).entries()) {
      response.write(`event: ${String(event['type'])}\ndata: ${JSON.stringify({ ...event, sequence_number: i })}\n\n`);
    }
    response.end();
  }

  const server = createServer((request, response) => void answer(request, response).catch((error: unknown) => response.destroy(error as Error)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    problems,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Tools come alone or as a namespace of several; an answer names both parts. */
function toolsOf(tool: Item): Offered[] {
  if (tool['type'] !== 'namespace') return [{ name: String(tool['name'] ?? tool['type']) }];
  return (tool['tools'] as Item[]).map((inner) => ({ name: String(inner['name']), namespace: String(tool['name']) }));
}

function fullName({ name, namespace }: Offered): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function textOf(output: unknown): string {
  if (typeof output === 'string') return output;
  return Array.isArray(output) ? output.map((part) => String((part as Item)['text'] ?? '')).join('\n') : JSON.stringify(output);
}

function message(turn: number, text: string): Item {
  return { type: 'message', id: `msg_${turn}`, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] };
}

function eventsOf(model: string, items: readonly Item[]): Item[] {
  const response = (status: string, output: readonly Item[], usage: Item | null): Item => ({
    id: 'resp_1', object: 'response', created_at: 0, status, model, output, usage,
  });
  const usage = {
    input_tokens: 1, input_tokens_details: { cached_tokens: 0 }, output_tokens: 1, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 2,
  };
  return [
    { type: 'response.created', response: response('in_progress', [], null) },
    ...items.flatMap((item, output_index) => [
      { type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress' } },
      { type: 'response.output_item.done', output_index, item },
    ]),
    { type: 'response.completed', response: response('completed', items, usage) },
  ];
}
