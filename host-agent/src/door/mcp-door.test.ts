// SPDX-License-Identifier: Apache-2.0
import { Client, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Tool, ToolReply } from '../tools/tool.ts';
import { openCallPlaces, type CallPlaces } from './agent-budget.ts';
import type { ClientInfo } from './client-info.ts';
import { openMcpSession, type CallMeta, type CallRefusal, type McpSession } from './mcp-door.ts';
import { parseStrictJson } from './strict-json.ts';
import type { Violation } from './violation-count.ts';

const READ: Tool = {
  name: 'fs.read',
  title: 'Read a file',
  description: 'Reads a file.',
  input: z.strictObject({ path: z.string(), offset: z.int().min(0).default(0) }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['fs:read:{path}'],
  action: () => ({ runs: 'observe', observation: { what: 'metrics' } }),
  reply: () => ({ text: '', data: {}, isError: false }),
};
const ASK: Tool = { ...READ, name: 'authority.request', title: 'Ask', needs: [] };

type Called = { readonly tool: string; readonly args: JsonObject; readonly meta: CallMeta };
type Door = {
  readonly session: McpSession;
  /** What the door wrote, as the peer would read it. */
  readonly wrote: JsonObject[];
  readonly called: Called[];
  readonly clients: ClientInfo[];
  readonly violations: [Violation, number][];
  readonly faults: unknown[];
  tools: readonly Tool[];
  answer: (called: Called) => Promise<ToolReply | CallRefusal>;
  readonly clock: { now: number };
  takes: boolean;
  closed: boolean;
  onWrite: (message: JsonObject) => void;
  /** One line as it comes from a peer. */
  line: (text: string) => void;
};

const doors: Door[] = [];
afterEach(() => {
  for (const door of doors.splice(0)) door.session.close();
});

function openDoor(places: CallPlaces = openCallPlaces(32)): Door {
  const clock = { now: 0 };
  const door: Door = {
    wrote: [],
    called: [],
    clients: [],
    violations: [],
    faults: [],
    tools: [READ, ASK],
    answer: async ({ tool }) => ({ text: `${tool} done`, data: { done: true }, isError: false }),
    clock,
    takes: true,
    closed: false,
    onWrite: () => {},
    session: openMcpSession(
      {
        instructions: () => 'you are agent door',
        listTools: () => door.tools,
        call: (tool, args, meta) => {
          const called = { tool, args, meta };
          door.called.push(called);
          return door.answer(called);
        },
        onClient: (client) => door.clients.push(client),
        onViolation: (why, count) => door.violations.push([why, count]),
        onFault: (error) => door.faults.push(error),
      },
      {
        send: (message) => {
          if (!door.takes) return false;
          const sent = JSON.parse(JSON.stringify(message));
          door.wrote.push(sent);
          door.onWrite(sent);
          return true;
        },
        close: () => {
          door.closed = true;
        },
      },
      { version: '0', now: () => clock.now, places },
    ),
    line: (text) => {
      const read = parseStrictJson(text);
      if (read.ok) door.session.receive(read.value);
      else door.session.unreadable(read.error);
    },
  };
  doors.push(door);
  return door;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '2' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const { 'io.modelcontextprotocol/protocolVersion': _version, ...ENVELOPE_WITHOUT_VERSION } = ENVELOPE;

function callLine(id: JsonValue, name: JsonValue = 'fs.read', args: JsonValue = { path: '/x' }, meta?: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, ...(meta && { _meta: meta }) } });
}

test('a client is told at the start what the agent may do now', async () => {
  const door = openDoor();
  door.line(JSON.stringify(INITIALIZE));
  await settle();
  expect(door.wrote[0]).toMatchObject({ result: { instructions: 'you are agent door' } });
});

async function openInitialized(places?: CallPlaces): Promise<Door> {
  const door = openDoor(places);
  door.line(JSON.stringify(INITIALIZE));
  door.line('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  await settle();
  door.wrote.length = 0;
  return door;
}

async function connect(door: Door, mode: 'legacy' | 'auto'): Promise<Client> {
  const client = new Client({ name: 'probe', version: '0.9' }, { versionNegotiation: { mode } });
  const transport: Transport = {
    start: async () => {},
    send: async (message) => queueMicrotask(() => door.line(JSON.stringify(message))),
    close: async () => door.session.close(),
  };
  door.onWrite = (message) => queueMicrotask(() => transport.onmessage?.(message as unknown as JSONRPCMessage));
  await client.connect(transport);
  return client;
}

describe.each([
  { mode: 'legacy', protocol: '2025-11-25' },
  { mode: 'auto', protocol: '2026-07-28' },
] as const)('the official client, $protocol', ({ mode, protocol }) => {
  test('is served in that revision and named to the session', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(protocol);
    await client.listTools();
    expect(door.clients).toStrictEqual([{ name: 'probe', version: '0.9', protocol }]);
  });

  test('lists what the agent could call now, in the order of names, with schema and annotations', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toStrictEqual(['authority.request', 'fs.read']);
    expect(tools[1]).toMatchObject({
      title: 'Read a file',
      inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'], additionalProperties: false },
      annotations: { readOnlyHint: true, openWorldHint: false },
    });
    door.tools = [ASK];
    expect(
      (await client.listTools(undefined, { cacheMode: 'bypass' })).tools.map((tool) => tool.name),
    ).toStrictEqual(['authority.request']);
  });

  test('calls a tool and reads text, data and whether it went wrong', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    const good = await client.callTool({ name: 'fs.read', arguments: { path: '/x' } });
    expect(good).toMatchObject({ content: [{ type: 'text', text: 'fs.read done' }], structuredContent: { done: true }, isError: false });
    door.answer = async () => ({ text: 'refused: fs:read:/x is missing', data: { missing: 'fs:read:/x' }, isError: true });
    expect(
      await client.callTool({ name: 'fs.read', arguments: { path: '/x' } }),
    ).toMatchObject({ isError: true, structuredContent: { missing: 'fs:read:/x' } });
  });

  test('passes unknown tools and arguments on as they are: judging and recording them is not the door’s (R2)', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    await client.callTool({ name: 'no.such', arguments: { path: 7, extra: [1, { a: null }] } });
    expect(door.called).toMatchObject([{ tool: 'no.such', args: { path: 7, extra: [1, { a: null }] } }]);
    await client.callTool({ name: 'fs.read' });
    expect(door.called[1]?.args).toStrictEqual(Object.create(null));
    door.answer = async () => ({ protocolError: 'there is no tool named no.such' });
    await expect(client.callTool({ name: 'no.such' })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('no tool named'),
    });
  });

  test('is told nothing of a fault, which is reported', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    const fault = new Error('secret detail');
    door.answer = () => Promise.reject(fault);
    await expect(client.callTool({ name: 'fs.read' })).rejects.toMatchObject({
      code: -32603,
      message: expect.not.stringContaining('secret'),
    });
    expect(door.faults).toStrictEqual([fault]);
  });

  test('cancels a call: its signal fires and no reply comes', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    let aborted = false;
    door.answer = ({ meta }) =>
      new Promise((resolve) => {
        meta.signal.addEventListener('abort', () => {
          aborted = true;
          resolve({ text: 'late', data: {}, isError: false });
        });
      });
    const stop = new AbortController();
    const call = client.callTool({ name: 'fs.read' }, { signal: stop.signal });
    await settle();
    stop.abort('enough');
    await expect(call).rejects.toThrow();
    await settle();
    expect(aborted).toBe(true);
    expect(door.wrote.filter((message) => JSON.stringify(message).includes('late'))).toStrictEqual([]);
  });

  test('hears that its tools changed', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    const heard = vi.fn();
    client.setNotificationHandler('notifications/tools/list_changed', heard);
    if (mode === 'auto') await client.listen({ toolsListChanged: true });
    door.session.toolsChanged();
    await settle();
    expect(heard).toHaveBeenCalledOnce();
  });

  test('ends with its connection: running calls are told', async () => {
    const door = openDoor();
    const client = await connect(door, mode);
    let aborted = false;
    door.answer = ({ meta }) => new Promise(() => meta.signal.addEventListener('abort', () => (aborted = true)));
    client.callTool({ name: 'fs.read' }).catch(() => {});
    await settle();
    expect(aborted).toBe(false);
    door.session.close();
    await settle();
    expect(aborted).toBe(true);
    expect(door.closed).toBe(true);
  });
});

describe('abuse of JSON-RPC gets the error of its specification and runs nothing (B08, A22)', () => {
  test('control: the same call, well formed, is carried out', async () => {
    const door = await openInitialized();
    door.line(callLine('a'));
    await settle();
    expect(door.called).toHaveLength(1);
    expect(door.wrote).toMatchObject([{ id: 'a', result: { isError: false } }]);
  });

  test.each<[string, string, JsonObject | null]>([
    ['no JSON', '{"jsonrpc":"2.0",', { id: null, error: { code: -32700 } }],
    ['a batch', `[${callLine(7)},${callLine(8)}]`, { id: null, error: { code: -32600, message: expect.stringContaining('batch') } }],
    ['a batch of 10 000', `[${Array.from({ length: 9_999 }, () => '7').join()}]`, { id: null, error: { code: -32600 } }],
    ['a string', '"tools/call"', { id: null, error: { code: -32600 } }],
    ['null', 'null', { id: null, error: { code: -32600 } }],
    ['no version', '{"id":7,"method":"tools/list"}', { id: 7, error: { code: -32600 } }],
    ['another version', '{"jsonrpc":"1.0","id":7,"method":"tools/list"}', { id: 7, error: { code: -32600 } }],
    ['id: object', callLine({ a: 1 }), { id: null, error: { code: -32600 } }],
    ['id: null', callLine(null), { id: null, error: { code: -32600 } }],
    ['id: array', callLine([1]), { id: null, error: { code: -32600 } }],
    ['id: true', callLine(true), { id: null, error: { code: -32600 } }],
    ['id: fraction', callLine(1.5), { id: null, error: { code: -32600 } }],
    ['id: 2^53', callLine(2 ** 53), { id: null, error: { code: -32700 } }],
    ['id: long string', callLine('i'.repeat(257)), { id: null, error: { code: -32600 } }],
    ['params: array', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["fs.read"]}', { id: 7, error: { code: -32602 } }],
    ['params: string', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"fs.read"}', { id: 7, error: { code: -32602 } }],
    ['params: null', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":null}', { id: 7, error: { code: -32602 } }],
    ['a member more', '{"jsonrpc":"2.0","id":7,"method":"ping","operator":true}', { id: 7, error: { code: -32600 } }],
    ['method: number', '{"jsonrpc":"2.0","id":7,"method":7}', { id: 7, error: { code: -32600 } }],
    ['method: __proto__', '{"jsonrpc":"2.0","id":7,"method":"__proto__"}', { id: 7, error: { code: -32601 } }],
    ['method: constructor', '{"jsonrpc":"2.0","id":7,"method":"constructor"}', { id: 7, error: { code: -32601 } }],
    ['method: toString', '{"jsonrpc":"2.0","id":7,"method":"toString"}', { id: 7, error: { code: -32601 } }],
    ['method: unknown', '{"jsonrpc":"2.0","id":7,"method":"tools/grant"}', { id: 7, error: { code: -32601 } }],
    ['method: capitals', '{"jsonrpc":"2.0","id":7,"method":"TOOLS/CALL"}', { id: 7, error: { code: -32601 } }],
    [
      'method: sampling, which is the server’s',
      '{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}',
      { id: 7, error: { code: -32601 } },
    ],
    ['method: tasks', '{"jsonrpc":"2.0","id":7,"method":"tasks/get","params":{"taskId":"x"}}', { id: 7, error: { code: -32601 } }],
    [
      'a key twice',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"fs.list","name":"fs.read"}}',
      { id: null, error: { code: -32700 } },
    ],
    [
      '__proto__ in arguments',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"fs.read","arguments":{"__proto__":{"isAdmin":true}}}}',
      { id: null, error: { code: -32700 } },
    ],
    [
      '__proto__ in _meta',
      '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"__proto__":{}}}}',
      { id: null, error: { code: -32700 } },
    ],
    [
      'a lone surrogate',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"fs.read","arguments":{"path":"\\ud800"}}}',
      { id: null, error: { code: -32700 } },
    ],
    ['no name', '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":{}}}', { id: 7, error: { code: -32602 } }],
    ['name: object', callLine(7, { a: 1 }), { id: 7, error: { code: -32602 } }],
    ['name: too long', callLine(7, 'n'.repeat(129)), { id: 7, error: { code: -32602 } }],
    ['arguments: array', callLine(7, 'fs.read', ['/x']), { id: 7, error: { code: -32602 } }],
    ['arguments: string', callLine(7, 'fs.read', '/x'), { id: 7, error: { code: -32602 } }],
    [
      'a cursor we never gave',
      '{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":"x"}}',
      { id: 7, error: { code: -32602 } },
    ],
    ['an answer', '{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}', null],
    ['an error answer', '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}', null],
    ['a call as notification', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"fs.read","arguments":{"path":"/x"}}}', null],
    ['a privileged notification', '{"jsonrpc":"2.0","method":"notifications/grant","params":{"capability":"fs:write:/**"}}', null],
    ['a server’s notification', '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}', null],
    ['a notification __proto__', '{"jsonrpc":"2.0","method":"__proto__"}', null],
    ['a notification with odd params', '{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}', null],
    ['cancelling what does not run', '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}', null],
    ['cancelling an object', '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{"a":1}}}', null],
    ['progress of nothing', '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}', null],
  ])('%s', async (_, text, reply) => {
    const door = await openInitialized();
    door.line(text);
    await settle();
    expect(door.called).toStrictEqual([]);
    expect(door.wrote).toMatchObject(reply === null ? [] : [reply]);
    expect(door.wrote).toHaveLength(reply === null ? 0 : 1);
    expect(({} as Record<string, unknown>)['isAdmin']).toBe(undefined);
    door.line(callLine('after'));
    await settle();
    expect(door.wrote.at(-1)).toMatchObject({ id: 'after', result: { isError: false } });
  });

  test('an id in use is refused under no id, the first request is answered once', async () => {
    const door = await openInitialized();
    let finish = (_reply: ToolReply): void => {};
    door.answer = () => new Promise((resolve) => (finish = resolve));
    door.line(callLine(5));
    await settle();
    door.line(callLine(5, 'fs.read', { path: '/other' }));
    door.line('{"jsonrpc":"2.0","id":5,"method":"tools/list"}');
    await settle();
    expect(door.wrote).toMatchObject([{ id: null, error: { code: -32600 } }, { id: null, error: { code: -32600 } }]);
    finish({ text: 'first', data: {}, isError: false });
    await settle();
    expect(door.called).toHaveLength(1);
    expect(door.wrote.at(-1)).toMatchObject({ id: 5, result: { content: [{ text: 'first' }] } });
    // 5 and "5" are different ids, and a finished id is free again.
    door.answer = async () => ({ text: 'again', data: {}, isError: false });
    door.line(callLine(5));
    door.line(callLine('5'));
    await settle();
    expect(door.called).toHaveLength(3);
  });
});

describe('what coding agents on a laptop send besides', () => {
  const LAPTOP = {
    ...INITIALIZE,
    params: {
      protocolVersion: '2025-11-25',
      capabilities: { roots: { listChanged: true }, elicitation: { form: {}, url: {} }, sampling: { tools: {} }, tasks: { list: {}, cancel: {} } },
      clientInfo: { name: 'a-coding-agent', title: 'A coding agent', version: '2.1.0', description: 'x', websiteUrl: 'https://a.example', icons: [] },
    },
  };

  async function openLaptop(): Promise<Door> {
    const door = openDoor();
    door.line(JSON.stringify(LAPTOP));
    door.line('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    await settle();
    expect(door.wrote.splice(0)).toMatchObject([{ id: 1, result: { protocolVersion: '2025-11-25' } }]);
    return door;
  }

  test('more capabilities, more about itself: it is let in, and known by name and version', async () => {
    const door = await openLaptop();
    expect(door.clients).toStrictEqual([{ name: 'a-coding-agent', version: '2.1.0', protocol: '2025-11-25' }]);
  });

  test.each<[string, JsonObject]>([
    ['progressToken: number', { _meta: { progressToken: 7 } }],
    ['progressToken: string', { _meta: { progressToken: 'seven' } }],
    ['_meta of its own', { _meta: { 'vendor.example/tool-use-id': 'toolu_01', progressToken: 1 } }],
    ['a task', { task: { ttl: 60_000 } }],
  ])('a call and a list with %s', async (_, more) => {
    const door = await openLaptop();
    const params = { name: 'fs.read', arguments: { path: '/x' }, ...more };
    door.line(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params }));
    door.line(JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'tools/list', params: more }));
    await settle();
    expect(door.called).toMatchObject([{ tool: 'fs.read', args: { path: '/x' } }]);
    expect(Object.keys(door.called[0]!.args)).toStrictEqual(['path']);
    const answers = door.wrote.toSorted((a, b) => Number(a['id']) - Number(b['id']));
    expect(answers).toMatchObject([{ id: 2, result: { isError: false } }, { id: 3, result: { tools: [{}, {}] } }]);
    door.session.close();
    expect(door.violations).toStrictEqual([]);
  });

  test('ping, before the handshake and while a call runs', async () => {
    const door = openDoor();
    door.line('{"jsonrpc":"2.0","id":"p","method":"ping"}');
    door.line(JSON.stringify(LAPTOP));
    await settle();
    expect(door.wrote.splice(0)).toMatchObject([{ id: 'p', result: {} }, { id: 1, result: {} }]);
    door.answer = () => new Promise(() => {});
    door.line(callLine(2));
    door.line('{"jsonrpc":"2.0","id":3,"method":"ping","params":{"_meta":{"progressToken":3}}}');
    await settle();
    expect(door.wrote).toStrictEqual([{ jsonrpc: '2.0', id: 3, result: {} }]);
  });

  test('a cancellation, early and late, ends its call without an answer and nothing else', async () => {
    const door = await openLaptop();
    const cancel = (requestId: number) =>
      door.line(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason: 'AbortError: the user pressed Esc', _meta: {} } }));
    let aborted = false;
    door.answer = ({ meta }) =>
      new Promise((resolve) => {
        meta.signal.addEventListener('abort', () => {
          aborted = true;
          resolve({ text: 'too late', data: {}, isError: true });
        });
      });
    door.line(callLine(2));
    await settle();
    cancel(2);
    await settle();
    expect(aborted).toBe(true);
    expect(door.wrote).toStrictEqual([]);
    cancel(2);
    door.answer = async () => ({ text: 'next', data: {}, isError: false });
    door.line(callLine(3));
    await settle();
    cancel(3);
    await settle();
    expect(door.wrote).toMatchObject([{ id: 3, result: { content: [{ text: 'next' }] } }]);
    door.session.close();
    expect(door.violations).toStrictEqual([]);
  });
});

describe('the two revisions keep apart, and so do sessions (B09)', () => {
  test.each<[string, string, number]>([
    ['a call before initialize', callLine(1), -32600],
    ['a list before initialize', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', -32600],
    ['discover without an envelope', '{"jsonrpc":"2.0","id":1,"method":"server/discover"}', -32602],
    ['a call with an envelope without version', callLine(1, 'fs.read', { path: '/x' }, ENVELOPE_WITHOUT_VERSION), -32602],
  ])('%s', async (_, text, code) => {
    const door = openDoor();
    door.line(text);
    await settle();
    expect(door.called).toStrictEqual([]);
    expect(door.wrote).toMatchObject([{ id: 1, error: { code } }]);
    door.line(JSON.stringify(INITIALIZE));
    door.line(callLine(2));
    await settle();
    expect(door.wrote.at(-1)).toMatchObject({ id: 2, result: { isError: false } });
  });

  test('initialize twice, with another name and a lower version, changes nothing', async () => {
    const door = await openInitialized();
    door.line(
      JSON.stringify({
        ...INITIALIZE,
        id: 9,
        params: { ...INITIALIZE.params, protocolVersion: '2024-11-05', clientInfo: { name: 'operator', version: '1' } },
      }),
    );
    await settle();
    expect(door.wrote).toMatchObject([{ id: 9, error: { code: -32600 } }]);
    expect(door.clients).toStrictEqual([{ name: 'raw', version: '1', protocol: '2025-11-25' }]);
  });

  test.each([
    ['no version', { capabilities: {}, clientInfo: { name: 'a', version: '1' } }],
    ['version: number', { protocolVersion: 1, capabilities: {}, clientInfo: { name: 'a', version: '1' } }],
    ['no capabilities', { protocolVersion: '2025-11-25', clientInfo: { name: 'a', version: '1' } }],
    ['no name', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { version: '1' } }],
  ])('initialize with %s opens nothing', async (_, params) => {
    const door = openDoor();
    door.line(JSON.stringify({ ...INITIALIZE, params }));
    door.line(callLine(2));
    await settle();
    expect(door.wrote).toMatchObject([{ id: 1, error: { code: -32602 } }, { id: 2, error: { code: -32600 } }]);
    expect(door.called).toStrictEqual([]);
  });

  test('an unknown capability of a client gives it nothing and breaks nothing', async () => {
    const door = openDoor();
    door.line(
      JSON.stringify({
        ...INITIALIZE,
        params: { ...INITIALIZE.params, capabilities: { operator: { grant: true }, experimental: { x: {} } } },
      }),
    );
    await settle();
    expect(door.wrote).toMatchObject([{
      id: 1,
      result: { protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true } } },
    }]);
    expect(Object.keys((door.wrote[0]!['result'] as JsonObject)['capabilities'] as JsonObject)).toStrictEqual(['tools']);
  });

  test('an unknown older revision is answered with one of ours, as MCP asks', async () => {
    const door = openDoor();
    door.line(JSON.stringify({ ...INITIALIZE, params: { ...INITIALIZE.params, protocolVersion: '1999-01-01' } }));
    await settle();
    expect(door.wrote).toMatchObject([{ id: 1, result: { protocolVersion: '2025-11-25' } }]);
  });

  test('after a 2026-07-28 request neither initialize nor a request without its envelope is served', async () => {
    const door = openDoor();
    door.line(callLine(1, 'fs.read', { path: '/x' }, ENVELOPE));
    await settle();
    expect(door.wrote).toMatchObject([{ id: 1, result: { isError: false, resultType: 'complete' } }]);
    door.line(callLine(2));
    door.line(JSON.stringify({ ...INITIALIZE, id: 3 }));
    door.line(callLine(4));
    await settle();
    expect(door.wrote.slice(1).map((message) => [message['id'], 'error' in message])).toStrictEqual([[2, true], [3, true], [4, true]]);
    expect(door.called).toHaveLength(1);
  });

  test.each<[string, JsonObject, number]>([
    ['a revision of the future', { ...ENVELOPE, 'io.modelcontextprotocol/protocolVersion': '2031-01-01' }, -32022],
    ['no client capabilities', { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }, -32602],
    ['version: number', { ...ENVELOPE, 'io.modelcontextprotocol/protocolVersion': 1 }, -32602],
  ])('an envelope with %s', async (_, meta, code) => {
    const door = openDoor();
    door.line(callLine(1, 'fs.read', { path: '/x' }, meta));
    await settle();
    expect(door.called).toStrictEqual([]);
    expect(door.wrote).toMatchObject([{ id: 1, error: { code } }]);
  });

  test('a cancellation reaches calls of its own session only', async () => {
    const [one, two] = [await openInitialized(), await openInitialized()];
    const signals: AbortSignal[] = [];
    one.answer = ({ meta }) => {
      signals.push(meta.signal);
      return new Promise(() => {});
    };
    one.line(callLine(5));
    await settle();
    two.line('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}');
    await settle();
    expect(signals[0]?.aborted).toBe(false);
    one.line('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}');
    await settle();
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe('arguments', () => {
  test('cannot be changed after they came in (A24)', async () => {
    const door = await openInitialized();
    door.line(callLine(5, 'fs.read', { path: '/x', deep: { list: [1] } }));
    await settle();
    const args = door.called[0]!.args as { deep: { list: number[] } };
    expect(() => args.deep.list.push(2)).toThrow(TypeError);
    expect(() => Object.assign(args, { path: '/etc/shadow' })).toThrow(TypeError);
  });

  test.each([
    [
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331', sampled: true },
    ],
    [
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
      { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331', sampled: false },
    ],
    ['00-00000000000000000000000000000000-b7ad6b7169203331-01', null],
    ['00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01', null],
    ['ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', null],
    ['00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01', null],
    ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n', null],
    ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331', null],
    [{ trace: 1 }, null],
  ])('traceparent %j', async (traceparent, trace) => {
    const door = await openInitialized();
    door.line(callLine(5, 'fs.read', { path: '/x' }, { traceparent }));
    await settle();
    expect(door.called[0]?.meta.trace).toStrictEqual(trace);
  });
});

describe('limits of a session', () => {
  test('at most 16 calls at once, also when the client cancels them; then it works again', async () => {
    const door = await openInitialized();
    const finish: (() => void)[] = [];
    door.answer = () => new Promise((resolve) => finish.push(() => resolve({ text: '', data: {}, isError: false })));
    for (let id = 0; id < 17; id += 1) door.line(callLine(id));
    await settle();
    expect(door.called).toHaveLength(16);
    expect(door.wrote).toMatchObject([{ id: 16, error: { code: -32010 } }]);
    door.line('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}');
    await settle();
    door.line(callLine(17));
    await settle();
    expect(door.called).toHaveLength(16);
    finish[0]!();
    await settle();
    door.line(callLine(18));
    await settle();
    expect(door.called).toHaveLength(17);
    for (const end of finish) end();
    await settle();
    door.session.close();
    expect(door.violations).toStrictEqual([['too many calls at once', 2]]);
  });

  test('the sessions of an agent share its places, and one that closes gives back those that never began', async () => {
    const places = openCallPlaces(20);
    const [one, two] = [await openInitialized(places), await openInitialized(places)];
    const finish: (() => void)[] = [];
    for (const door of [one, two]) {
      door.answer = () => new Promise((resolve) => finish.push(() => resolve({ text: '', data: {}, isError: false })));
      for (let id = 0; id < 10; id += 1) door.line(callLine(id));
    }
    await settle();
    expect(finish).toHaveLength(20);
    two.line(callLine(10));
    await settle();
    expect(two.wrote).toMatchObject([{ id: 10, error: { code: -32010, message: expect.stringContaining('20 calls of this agent') } }]);
    // Closed, but its calls have not ended: their places stay taken until they do.
    one.session.close();
    await settle();
    expect(places.take()).toBe(false);
    for (const end of finish) end();
    await settle();
    for (let place = 0; place < 20; place += 1) expect(places.take()).toBe(true);
    expect(places.take()).toBe(false);
    for (let place = 0; place < 20; place += 1) places.give();

    const three = await openInitialized(places);
    three.line(callLine(1));
    three.session.close();
    await settle();
    for (let place = 0; place < 20; place += 1) expect(places.take()).toBe(true);
    expect(places.take()).toBe(false);
  });

  test('violations are counted by kind and reported once each', async () => {
    const door = await openInitialized();
    for (let i = 0; i < 3; i += 1) door.line('{"jsonrpc":"2.0","id":1,"result":{}}');
    door.line('{"jsonrpc":"2.0","id":1,"method":"nope"}');
    door.session.tick();
    expect(door.violations).toStrictEqual([]);
    door.session.close();
    door.session.close();
    expect(door.violations).toStrictEqual([['answer without a question', 3], ['unknown method', 1]]);
  });

  test.each(['tools/call', 'notifications/grant', '__proto__', 'notifications/tools/list_changed'])('the notification %s is counted', async (method) => {
    const door = await openInitialized();
    door.line(JSON.stringify({ jsonrpc: '2.0', method, params: { name: 'fs.read' } }));
    door.session.close();
    expect(door.violations).toStrictEqual([['unknown notification', 1]]);
  });

  test('cancelling what is no call keeps no id taken', async () => {
    const door = await openInitialized();
    door.line('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    door.line('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}');
    await settle();
    door.line(callLine(1));
    await settle();
    expect(door.wrote.map((message) => 'result' in message)).toStrictEqual([true, true]);
  });

  test('a peer that does not read loses its session, and its calls are told', async () => {
    const door = await openInitialized();
    let aborted = false;
    door.answer = ({ tool, meta }) => {
      if (tool === 'slow') return new Promise(() => meta.signal.addEventListener('abort', () => (aborted = true)));
      return Promise.resolve({ text: 'x', data: {}, isError: false });
    };
    door.line(callLine(1, 'slow'));
    await settle();
    door.takes = false;
    door.line(callLine(2));
    await settle();
    expect(door.closed).toBe(true);
    expect(aborted).toBe(true);
    expect(door.violations).toStrictEqual([['replies not read', 1]]);
    door.line(callLine(3));
    await settle();
    expect(door.called).toHaveLength(2);
  });

  test('at most four subscriptions', async () => {
    const door = openDoor();
    for (let id = 1; id <= 6; id += 1) {
      door.line(
        JSON.stringify({
          jsonrpc: '2.0',
          id,
          method: 'subscriptions/listen',
          params: { _meta: ENVELOPE, notifications: { toolsListChanged: true } },
        }),
      );
    }
    await settle();
    expect(door.wrote.filter((message) => 'error' in message).map((message) => message['id'])).toStrictEqual([5, 6]);
  });
});
