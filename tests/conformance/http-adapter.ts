// SPDX-License-Identifier: Apache-2.0
// Test only: the conformance suite speaks HTTP and nothing else, the product speaks lines over a socket and nothing else.
// One POST body is one line, what the door writes goes back as JSON or as an event stream. The rules of the HTTP transport
// (headers, Host, Origin) are not kept here: nobody would learn anything about the product from that.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DoorTransport, McpSession } from '../../host-agent/src/door/mcp-door.ts';
import { parseStrictJson } from '../../host-agent/src/door/strict-json.ts';
import type { JsonObject, JsonValue } from '../../host-agent/src/ledger/entry.ts';

type Connection = { readonly session: McpSession; readonly answers: Set<Answer>; readonly stream: Set<ServerResponse> };
/** One POST that waits. What has no id of its own goes to the newest of them. */
type Answer = { readonly id: JsonValue; readonly response: ServerResponse };

export async function serveHttp(open: (transport: DoorTransport) => McpSession): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const kept = new Map<string, Connection>();
  let sessions = 0;

  function connect(): Connection {
    const answers = new Set<Answer>();
    const stream = new Set<ServerResponse>();
    const session = open({
      send: (message) => {
        deliver(message as JsonObject, answers, stream);
        return true;
      },
      close: () => {
        for (const response of [...stream, ...[...answers].map((answer) => answer.response)]) response.end();
      },
    });
    return { session, answers, stream };
  }

  async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parsed = parseStrictJson(await bodyOf(request));
    const message = parsed.ok ? (parsed.value as JsonObject) : {};
    const name = request.headers['mcp-session-id'];
    const known = typeof name === 'string' ? kept.get(name) : undefined;
    if (name !== undefined && known === undefined) return end(response, 404);
    // A connection for each request outside a session: on one of its own no request meets the ids of another.
    const connection = known ?? connect();
    const begins = known === undefined && message['method'] === 'initialize' && request.headers['mcp-protocol-version'] !== '2026-07-28';
    if (begins) {
      sessions += 1;
      kept.set(`s${sessions}`, connection);
      response.setHeader('mcp-session-id', `s${sessions}`);
    }
    const answer: Answer = { id: message['id'] ?? null, response };
    const asks = 'id' in message || !parsed.ok;
    if (asks) connection.answers.add(answer);
    response.on('close', () => {
      connection.answers.delete(answer);
      if (known === undefined && !begins) connection.session.close();
    });
    if (parsed.ok) connection.session.receive(parsed.value);
    else connection.session.unreadable(parsed.error);
    if (!asks) end(response, 202);
  }

  const server = createServer((request, response) => {
    const name = String(request.headers['mcp-session-id']);
    const known = kept.get(name);
    if (request.method === 'POST') {
      void post(request, response);
    } else if (known === undefined) {
      end(response, request.headers['mcp-session-id'] === undefined ? 405 : 404);
    } else if (request.method === 'DELETE') {
      kept.delete(name);
      known.session.close();
      end(response, 200);
    } else {
      known.stream.add(response);
      response.on('close', () => known.stream.delete(response));
      beginEvents(response);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close: async () => {
      for (const { session } of kept.values()) session.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

function deliver(message: JsonObject, answers: Set<Answer>, stream: Set<ServerResponse>): void {
  const isAnswer = !('method' in message);
  const to = isAnswer ? [...answers].find((answer) => answer.id === message['id']) ?? [...answers].at(-1) : undefined;
  if (to !== undefined) {
    if (to.response.headersSent) to.response.end(eventOf(message));
    else to.response.writeHead(statusOf(message), { 'content-type': 'application/json' }).end(JSON.stringify(message));
    answers.delete(to);
    return;
  }
  const responses = stream.size > 0 ? [...stream] : [...answers].map((answer) => answer.response);
  for (const response of responses) {
    if (!response.headersSent) beginEvents(response);
    response.write(eventOf(message));
  }
}

/** The statuses that the Streamable HTTP transport gives to errors of the door. */
function statusOf(message: JsonObject): number {
  const code = (message['error'] as JsonObject | undefined)?.['code'];
  if (code === -32601) return 404;
  return typeof code === 'number' ? 400 : 200;
}

function beginEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
}

function eventOf(message: JsonObject): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}
