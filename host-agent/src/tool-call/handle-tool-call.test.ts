// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test, vi } from 'vitest';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { handleToolCall } from './handle-tool-call.ts';
import { callOf, LEDGER_DOWN, memoryWorld, result } from './testdata/memory-world.ts';

const READ = { path: '/workspace/a' };
// Cut at an even place, it ends in half a character.
const LONG_NAME = `x${'😀'.repeat(600)}`;

describe('a container that outlasts its caller\'s patience', () => {
  const RUN = callOf('container.run', { image: 'tools' });

  test('that ends in time is answered like every call', async () => {
    const { ports, events } = memoryWorld();
    expect(await handleToolCall(RUN, ports)).toEqual({ text: 'done', data: { text: 'done' }, isError: false });
    expect(events).toEqual(['call.intent', 'run', 'call.outcome']);
  });

  test('is answered that it goes on; what it came to is recorded when it ends, and until then it is followed', async () => {
    const { world, ports, events, kept } = memoryWorld();
    let end: (ran: Result<RunResult>) => void = () => undefined;
    world.onRun = () => new Promise((resolve) => (end = resolve));
    world.patience = Promise.resolve();
    const rest: Promise<unknown>[] = [];
    const reply = await handleToolCall({ ...RUN, goesOn: (ended) => void rest.push(ended) }, ports);
    expect(reply).toMatchObject({ isError: false, data: { name: 'build', running: true } });
    expect(events).toEqual(['call.intent', 'run']);
    end(accept(result({ exit: { code: 3 } })));
    await Promise.all(rest);
    expect(rest).toHaveLength(1);
    expect(events).toEqual(['call.intent', 'run', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ intent: 1, status: 'error', exit: { code: 3 } });
  });

  test('of an image that is not held does not start', async () => {
    const { ports, events } = memoryWorld();
    expect(await handleToolCall(callOf('container.run', { image: 'other' }), ports)).toMatchObject({ isError: true, data: { missing: ['container:run:other'] } });
    expect(events).toEqual(['call.refused']);
  });

  test('is looked at only after the look is recorded', async () => {
    const { ports, events } = memoryWorld();
    await handleToolCall(callOf('container.logs', {}), ports);
    expect(events).toEqual(['call.intent', 'logs build', 'call.outcome']);
  });
});

describe('an allowed call', () => {
  test('is recorded, run, recorded and answered, in this order', async () => {
    const { ports, events, kept, ran } = memoryWorld();
    const reply = await handleToolCall(callOf('fs.read', READ), ports);
    expect(reply).toEqual({ text: 'done', data: { text: 'done' }, isError: false });
    expect(events).toEqual(['call.intent', 'run', 'call.outcome']);
    const { permit, receipt } = ran[0]!.permit;
    expect(kept[0]).toMatchObject({ actor: { type: 'agent', id: 'demo' }, trace: null, span: null });
    expect(kept[0]!.data).toEqual({
      call: 'c1',
      session: 's1',
      agent: 'demo',
      tool: 'fs.read',
      arguments: READ,
      arguments_digest: digest(READ),
      capabilities: ['fs:read:/workspace/a'],
      grants: [],
      rule: 'type-default:fs:read:/workspace/**',
      permit_digest: digest(permit),
      not_after: 1500,
      mode: 'mediated',
      restore: [],
    });
    expect(receipt).toMatchObject({ permit: digest(permit), seq: 1, notAfter: 1500 });
    expect(kept[1]!.data).toEqual({
      call: 'c1',
      intent: 1,
      agent: 'demo',
      tool: 'fs.read',
      status: 'ok',
      exit: { code: 0 },
      output_digest: sha256Hex(new TextEncoder().encode('done')),
      observed: { by: 'cgroup', cpuUsec: 12, memoryPeak: 4096, tasksPeak: null, wallMs: 3 },
      duration_ms: 0,
      mode: 'mediated',
    });
  });

  test('carries its trace into every entry', async () => {
    const { ports, kept } = memoryWorld();
    const trace = { trace: 'a'.repeat(32), span: 'b'.repeat(16) };
    await handleToolCall({ ...callOf('fs.read', READ), trace }, ports);
    expect(kept.map((entry) => [entry.trace, entry.span])).toEqual([[trace.trace, trace.span], [trace.trace, trace.span]]);
  });

  test('binds what is fed to the program by digest', async () => {
    const { ports, ran } = memoryWorld();
    await handleToolCall(callOf('fs.write', { path: '/workspace/a', content: 'hello' }), ports);
    const bytes = new TextEncoder().encode('hello');
    expect(ran[0]!.stdin).toEqual(bytes);
    expect(ran[0]!.permit.permit.stdin).toEqual({ digest: sha256Hex(bytes), size: 5 });
  });

  test('A02: one path is judged, recorded and run', async () => {
    const { ports, kept, ran } = memoryWorld();
    await handleToolCall(callOf('fs.read', { path: '/workspace/./x/..//a/' }), ports);
    expect(kept[0]!.data).toMatchObject({ arguments: READ, arguments_digest: digest(READ), capabilities: ['fs:read:/workspace/a'] });
    expect(ran[0]!.permit.permit.plan.argv.join(' ')).toMatch(/ a$/);
  });

  test('A24: changing the arguments after the call was handed over changes nothing', async () => {
    const { ports, kept, ran } = memoryWorld();
    const args = { path: '/workspace/a', content: 'good' };
    const pending = handleToolCall(callOf('fs.write', args), ports);
    args.path = '/etc/passwd';
    args.content = 'bad';
    await pending;
    expect(kept[0]!.data).toMatchObject({ arguments: { path: '/workspace/a', content: 'good' } });
    expect(new TextDecoder().decode(ran[0]!.stdin!)).toBe('good');
  });

  test('long arguments are recorded by digest, size and beginning', async () => {
    const { ports, kept } = memoryWorld();
    const content = 'x'.repeat(1025);
    await handleToolCall(callOf('fs.write', { path: '/workspace/a', content }), ports);
    const bytes = new TextEncoder().encode(content);
    const cut = { digest: sha256Hex(bytes), size: 1025, head: 'x'.repeat(64) };
    expect(kept[0]!.data).toMatchObject({ arguments: { path: '/workspace/a', content: cut } });
    expect(kept[0]!.data).toMatchObject({ arguments_digest: digest({ path: '/workspace/a', content }) });
  });

  test('an observation runs without a permit, after its intent', async () => {
    const { ports, events, kept, observed } = memoryWorld();
    const reply = await handleToolCall(callOf('process.list', {}), ports);
    expect(reply.isError).toBe(false);
    expect(observed).toEqual([{ what: 'processes' }]);
    expect(events).toEqual(['call.intent', 'observe', 'call.outcome']);
    expect(kept[0]!.data).toMatchObject({ permit_digest: null });
    expect(kept[1]!.data).toMatchObject({ exit: null, observed: { by: 'none' } });
  });

  test.each<[string, Partial<RunResult>]>([
    ['ok', {}],
    ['error', { exit: { code: 2 } }],
    ['error', { exit: { signal: 'SIGSEGV' } }],
    ['deadline', { exit: { signal: 'SIGKILL' }, deadline: true }],
  ])('its outcome is %s for %j', async (status, part) => {
    const { world, ports, kept } = memoryWorld();
    world.onRun = async () => accept(result(part));
    await handleToolCall(callOf('fs.read', READ), ports);
    expect(kept[1]!.data).toMatchObject({ status, exit: part.exit ?? { code: 0 } });
  });
});

describe('a call that its client cancels', () => {
  const KILLED = result({ exit: { signal: 'SIGKILL' }, stdout: new Uint8Array() });

  test('control: a call that nobody cancels and that is killed is an error', async () => {
    const { world, ports, kept } = memoryWorld();
    world.onRun = async () => accept(KILLED);
    await handleToolCall(callOf('fs.read', READ), ports);
    expect(kept[1]!.data).toMatchObject({ status: 'error' });
  });

  test('is ended by the runner and recorded as cancelled, with what was seen of it', async () => {
    const { world, ports, kept, ran } = memoryWorld();
    const stop = new AbortController();
    // The runner answers as it does for every call, when the processes are gone.
    world.onRun = () => new Promise((resolve) => ran[0]!.cancelled.addEventListener('abort', () => resolve(accept(KILLED))));
    const pending = handleToolCall(callOf('fs.read', READ, stop.signal), ports);
    await vi.waitUntil(() => ran.length === 1);
    stop.abort();
    expect(await pending).toMatchObject({ isError: true });
    expect(kept.map((entry) => entry.kind)).toEqual(['call.intent', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ intent: 1, status: 'cancelled', exit: { signal: 'SIGKILL' }, observed: { by: 'cgroup', cpuUsec: 12 } });
  });

  test.each<[string, Result<RunResult>, string]>([
    ['had ended by itself', accept(result({})), 'ok'],
    ['had ended with an error', accept(result({ exit: { code: 2 } })), 'error'],
    ['had come to its deadline', accept(result({ exit: { signal: 'SIGKILL' }, deadline: true })), 'deadline'],
    ['was not even built up', refuse('sandbox: the launcher ended without a word'), 'cancelled'],
  ])('too late, when it %s: that is what is recorded', async (_what, answer, status) => {
    const { world, ports, kept } = memoryWorld();
    const stop = new AbortController();
    world.onRun = async () => {
      stop.abort();
      return answer;
    };
    await handleToolCall(callOf('fs.read', READ, stop.signal), ports);
    expect(kept[1]!.data).toMatchObject({ status });
  });

  test('before it runs, it does not run', async () => {
    const { world, ports, kept, events } = memoryWorld();
    const stop = new AbortController();
    world.onAppend = async (_kind, answer) => {
      stop.abort();
      return accept(answer);
    };
    await handleToolCall(callOf('fs.read', READ, stop.signal), ports);
    expect(events).toEqual(['call.intent', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ status: 'cancelled', exit: null });
  });
});

describe('a refused call', () => {
  test('does not run, is recorded once, and the reply teaches; with the grant it runs', async () => {
    const { ports, events, kept, ran, grant } = memoryWorld();
    const call = callOf('fs.read', { path: '/etc/os-release' });
    const reply = await handleToolCall(call, ports);
    expect(events).toEqual(['call.refused']);
    expect(kept[0]!.data).toEqual({
      call: 'c1',
      session: 's1',
      agent: 'demo',
      tool: 'fs.read',
      arguments_digest: digest({ path: '/etc/os-release' }),
      capabilities: ['fs:read:/etc/os-release'],
      missing: ['fs:read:/etc/os-release'],
      rule: 'default-deny',
      remedy: 'Ask an operator with authority.request for fs:read:/etc/os-release; try again when it is granted.',
      mode: 'mediated',
    });
    expect(reply.isError).toBe(true);
    expect(reply.text).toContain('missing fs:read:/etc/os-release; rule default-deny. Ask an operator with authority.request');
    expect(reply.data).toMatchObject({ refused: 'denied', may_ask: ['fs:read:/etc/os-release'] });

    grant('g1', 'fs:read:/etc/os-release', { notAfter: 1200 });
    expect((await handleToolCall(call, ports)).isError).toBe(false);
    expect(ran[0]!.permit.permit.notAfter).toBe(1200);
    expect(kept[1]!.data).toMatchObject({ rule: 'grant:g1', grants: ['g1'], not_after: 1200 });
  });

  test('a denial of the ceiling says that no grant helps', async () => {
    const { ports, kept } = memoryWorld();
    const reply = await handleToolCall(callOf('fs.read', { path: '/etc/shadow' }), ports);
    expect(kept[0]!.data).toMatchObject({ rule: 'ceiling.deny:fs:read:/etc/shadow' });
    expect(reply.data).toMatchObject({ may_ask: [] });
    expect(reply.text).toContain('no grant changes that');
  });

  test.each([
    ['an unknown tool', 'fs.format', {}, 'unknown_tool', 'fs.format'],
    ['a name that is no name (A05)', 'fs.r\u0435ad', READ, 'unknown_tool', '"fs.r\u0435ad"'],
    ['half a character as a name', '\ud800', READ, 'unknown_tool', '"\\ud800"'],
    ['a name from the prototype', '__proto__', READ, 'unknown_tool', '__proto__'],
    ['no arguments', 'fs.read', undefined, 'malformed', 'fs.read'],
    ['arguments that are no object', 'fs.read', ['/workspace/a'], 'malformed', 'fs.read'],
    ['an argument of the wrong kind', 'fs.read', { path: 7 }, 'malformed', 'fs.read'],
    ['an unknown argument where the schema is strict', 'fs.write', { path: '/workspace/a', content: '', mode: 7 }, 'malformed', 'fs.write'],
    ['an unknown argument where it is not', 'fs.read', { ...READ, follow: true }, 'malformed', 'fs.read'],
    ['a fraction', 'fs.read', { ...READ, first: 0.5 }, 'malformed', 'fs.read'],
    ['NUL in a path (A04)', 'fs.read', { path: '/workspace/a\u0000/etc/shadow' }, 'malformed', 'fs.read'],
    ['a lone surrogate (A05)', 'fs.read', { path: '/workspace/\udc00' }, 'malformed', 'fs.read'],
    ['a relative path', 'fs.read', { path: 'a' }, 'malformed', 'fs.read'],
    ['a magic link (A12)', 'fs.read', { path: '/proc/self/root/etc/shadow' }, 'malformed', 'fs.read'],
    ['a prototype (A22)', 'fs.read', JSON.parse('{"path":"/workspace/a","__proto__":{"isAdmin":true}}'), 'malformed', 'fs.read'],
    ['a constructor (A22)', 'fs.read', { ...READ, constructor: { prototype: { isAdmin: true } } }, 'malformed', 'fs.read'],
    ['an unknown argument whose name is cut inside a character', 'fs.read', { ...READ, [LONG_NAME]: 1 }, 'malformed', 'fs.read'],
    ['the same where the schema is strict', 'fs.write', { path: '/a', content: '', [LONG_NAME]: 1 }, 'malformed', 'fs.write'],
    ['the same where a value is bad', 'fs.write', { [LONG_NAME]: 0.5 }, 'malformed', 'fs.write'],
    ['deep nesting', 'fs.read', { path: nested(200) }, 'malformed', 'fs.read'],
  ])('%s: refused, recorded once', async (_, name, args, code, recorded) => {
    const { ports, events, kept, ran, faults } = memoryWorld();
    const reply = await handleToolCall(callOf(name, args), ports);
    expect(reply.data).toMatchObject({ refused: code });
    expect(events).toEqual(['call.refused']);
    expect(kept[0]!.data).toMatchObject({ tool: recorded });
    expect(ran).toEqual([]);
    expect(faults).toEqual([]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test('an exception while judging denies, and the agent is told no more than that', async () => {
    const { ports, events, kept, faults } = memoryWorld();
    const broken = { ...ports, grants: { ...ports.grants, heldBy: () => { throw new Error('the book is on fire'); } } };
    const reply = await handleToolCall(callOf('fs.read', READ), broken);
    expect(events).toEqual(['call.refused']);
    expect(kept[0]!.data).toMatchObject({ rule: 'fault.judging', capabilities: ['fs:read:/workspace/a'] });
    expect(reply.data).toMatchObject({ refused: 'fault' });
    expect(reply.text).not.toContain('fire');
    expect(faults).toHaveLength(1);
  });

  test('a tool that acts and needs nothing is a fault of ours, not open to everyone', async () => {
    const { ports, observed, kept } = memoryWorld();
    expect((await handleToolCall(callOf('forgotten', {}), ports)).isError).toBe(true);
    expect(observed).toEqual([]);
    expect(kept[0]!.data).toMatchObject({ rule: 'fault.judging' });
  });
});

describe('grants', () => {
  test('A25: of parallel calls on the last use exactly one runs', async () => {
    const { ports, events, ran, grant } = memoryWorld();
    grant('once', 'process:run:git', { usesLeft: 1 });
    const replies = await Promise.all(Array.from({ length: 20 }, () => handleToolCall(callOf('process.run', { program: 'git' }), ports)));
    expect(replies.filter((reply) => !reply.isError)).toHaveLength(1);
    expect(ran).toHaveLength(1);
    expect(events.filter((kind) => kind === 'call.refused')).toHaveLength(19);
  });

  test('a program sees the files that are granted, and ends with that grant', async () => {
    const { ports, ran, kept, grant } = memoryWorld();
    grant('git', 'process:run:git');
    grant('conf', 'fs:read:/etc/nginx/**', { notAfter: 4000 });
    await handleToolCall(callOf('process.run', { program: 'git' }), ports);
    const { plan, notAfter } = ran[0]!.permit.permit;
    expect(plan.bindings.map((binding) => binding.path)).toContain('/etc/nginx');
    expect(plan.limits.timeoutMs).toBe(30_000);
    expect(notAfter).toBe(4000);
    expect(kept[0]!.data).toMatchObject({ grants: ['git', 'conf'] });
  });

  test('A16: a grant that was revoked while the intent was written starts nothing', async () => {
    const { world, ports, events, ran, kept, grant, revokeGrant } = memoryWorld();
    grant('g1', 'fs:read:/etc/**');
    world.onAppend = async (kind, answer) => {
      if (kind === 'call.intent') revokeGrant('g1');
      return accept(answer);
    };
    const reply = await handleToolCall(callOf('fs.read', { path: '/etc/os-release' }), ports);
    expect(reply.text).toContain('was revoked');
    expect(ran).toEqual([]);
    expect(events).toEqual(['call.intent', 'call.outcome']);
    expect(kept[1]!.data).toMatchObject({ status: 'failed', exit: null });
  });

  test('A13: a call whose time is over before it begins does not begin', async () => {
    const { world, ports, ran } = memoryWorld();
    world.onAppend = async (_, answer) => {
      world.now = 1500;
      return accept(answer);
    };
    expect((await handleToolCall(callOf('fs.read', READ), ports)).text).toContain('its time was over');
    expect(ran).toEqual([]);
  });

  test('a grant that ends between judging and spending is a refusal that is recorded', async () => {
    const { ports, events, kept, grant, ran } = memoryWorld();
    grant('g1', 'process:run:git');
    const late = { ...ports, grants: { ...ports.grants, spend: () => refuse('it has just ended') } };
    await handleToolCall(callOf('process.run', { program: 'git' }), late);
    expect(events).toEqual(['call.refused']);
    expect(kept[0]!.data).toMatchObject({ rule: 'grant.ended' });
    expect(ran).toEqual([]);
  });
});

describe('without the ledger nothing runs (E06, E12)', () => {
  test.each([
    ['refuses', async () => LEDGER_DOWN],
    ['throws', async () => { throw new Error('no connection'); }],
  ])('when it %s the intent', async (_, onAppend) => {
    const { world, ports, ran, kept } = memoryWorld();
    world.onAppend = onAppend;
    const reply = await handleToolCall(callOf('fs.read', READ), ports);
    expect(reply.data).toMatchObject({ refused: 'ledger_unavailable' });
    expect(ran).toEqual([]);
    expect(kept).toEqual([]);
    const refusal = await handleToolCall(callOf('fs.read', { path: '/etc/shadow' }), ports);
    expect(refusal.data).toMatchObject({ refused: 'ledger_unavailable' });
  });

  test('when the outcome cannot be recorded, the reply says that the effect may have happened and keeps the result back', async () => {
    const { world, ports, ran } = memoryWorld();
    world.onAppend = async (kind, answer) => (kind === 'call.outcome' ? LEDGER_DOWN : accept(answer));
    const reply = await handleToolCall(callOf('fs.read', READ), ports);
    expect(ran).toHaveLength(1);
    expect(reply.isError).toBe(true);
    expect(reply.text).toContain('may have happened');
    expect(reply.text).not.toContain('done');
  });

  test.each([
    ['no receipt', { receipt: null }],
    ['a receipt for another permit', { permit: 'f'.repeat(64) }],
    ['a receipt for another agent', { agent: 'other' }],
    ['a receipt that lasts longer', { notAfter: 99_999 }],
    ['a receipt of another entry', { seq: 7 }],
  ])('%s: nothing runs, and that is on the record', async (_, change) => {
    const { world, ports, ran, kept, faults } = memoryWorld();
    world.onAppend = async (kind, answer) => {
      if (kind !== 'call.intent') return accept(answer);
      const receipt = 'receipt' in change ? null : { ...answer.receipt!, ...(change as object) };
      return accept({ ...answer, receipt });
    };
    expect((await handleToolCall(callOf('fs.read', READ), ports)).isError).toBe(true);
    expect(ran).toEqual([]);
    expect(faults).toHaveLength(1);
    expect(kept[1]!.data).toMatchObject({ status: 'failed' });
  });

  test('output that its tool cannot read is an outcome with what was seen of the run', async () => {
    const { ports, kept, tools, faults } = memoryWorld();
    tools.set('fs.read', { ...tools.get('fs.read')!, reply: () => { throw new Error('not what the file tool writes'); } });
    expect((await handleToolCall(callOf('fs.read', READ), ports)).isError).toBe(true);
    expect(kept[1]!.data).toMatchObject({ status: 'failed', exit: { code: 0 }, observed: { by: 'cgroup' } });
    expect(faults).toHaveLength(1);
  });

  test.each([
    ['refuses', async () => refuse('the runner refused it: the receipt was used before')],
    ['throws', async () => { throw new Error('the connection ended'); }],
  ])('a runner that %s is an outcome too', async (_, onRun) => {
    const { world, ports, kept } = memoryWorld();
    world.onRun = onRun;
    const reply = await handleToolCall(callOf('fs.read', READ), ports);
    expect(reply.text).toContain('Part of its effect may have happened');
    expect(kept[1]!.data).toMatchObject({ status: 'failed', intent: 1 });
  });
});

describe('asking an operator (authority.request, R5)', () => {
  const wish = { capability: 'fs:read:/etc/**', forMs: 60_000, reason: 'to compare versions' };

  test('is recorded and kept as a wish; it opens nothing', async () => {
    const { ports, events, kept, openRequests } = memoryWorld();
    const reply = await handleToolCall(callOf('authority.request', wish), ports);
    expect(events).toEqual(['call.intent', 'grant.requested', 'call.outcome']);
    const { capability, reason } = wish;
    expect(kept[1]!.data).toEqual({ request: 'r1', agent: 'demo', capability, for_ms: 60_000, reason });
    expect(openRequests()).toHaveLength(1);
    expect(JSON.parse(reply.text)).toMatchObject({ request: 'r1', state: 'open', still_denied: ['fs:read:/etc/shadow'] });
    expect((await handleToolCall(callOf('fs.read', { path: '/etc/os-release' }), ports)).isError).toBe(true);
  });

  test('twice is one wish', async () => {
    const { ports, openRequests } = memoryWorld();
    await handleToolCall(callOf('authority.request', wish), ports);
    const again = await handleToolCall(callOf('authority.request', wish), ports);
    expect(JSON.parse(again.text)).toMatchObject({ request: 'r1' });
    expect(openRequests()).toHaveLength(1);
  });

  test.each([
    ['fs:read:/var/log/**', 'ceiling'],
    ['fs:read:/etc/shadow', 'ceiling'],
    ['fs:read:/etc/../**', 'malformed'],
  ])('the impossible is refused at once: %s', async (capability, rule) => {
    const { ports, events, kept, openRequests } = memoryWorld();
    await handleToolCall(callOf('authority.request', { ...wish, capability }), ports);
    expect(events).toEqual(['call.refused']);
    expect(kept[0]!.data).toMatchObject({ rule });
    expect(openRequests()).toEqual([]);
  });

  test('an agent has room for so many, also in parallel', async () => {
    const { ports, openRequests } = memoryWorld();
    const wishes = Array.from({ length: 40 }, (_, n) => ({ ...wish, capability: `fs:read:/etc/f${n}` }));
    const replies = wishes.map((one) => handleToolCall(callOf('authority.request', one), ports));
    expect((await Promise.all(replies)).filter((reply) => !reply.isError)).toHaveLength(16);
    expect(openRequests()).toHaveLength(16);
  });

  test('a wish that cannot be recorded is not kept', async () => {
    const { world, ports, openRequests } = memoryWorld();
    world.onAppend = async (kind, answer) => (kind === 'grant.requested' ? LEDGER_DOWN : accept(answer));
    expect((await handleToolCall(callOf('authority.request', wish), ports)).isError).toBe(true);
    expect(openRequests()).toEqual([]);
  });
});

function digest(value: unknown): string {
  return sha256Hex(canonicalJson(value as never));
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let n = 0; n < depth; n += 1) value = [value];
  return value;
}

describe('an agent that the kernel does not confine', () => {
  test('has no call judged, of any kind, and is told why', async () => {
    const { ports, world, events, kept } = memoryWorld();
    const calls = [callOf('fs.read', READ), callOf('process.list', {}), callOf('authority.request', { capability: 'process:list', forMs: 1, reason: 'x' })];
    for (const call of calls) expect((await handleToolCall(call, ports)).isError).toBe(false);
    const before = events.length;
    world.confined = refuse('profile holdfast-call-task does not enforce: its mode is complain');
    for (const call of calls) {
      const reply = await handleToolCall(call, ports);
      expect(reply).toMatchObject({ isError: true, data: { rule: 'confinement', remedy: expect.stringContaining('its mode is complain') } });
    }
    expect(events.slice(before)).toEqual(calls.map(() => 'call.refused'));
    expect(kept.at(-1)?.data).toMatchObject({ rule: 'confinement' });
  });
});

describe('a change of the host', () => {
  test('is recorded before it is made, and what was seen of it with its outcome', async () => {
    const { ports, events, kept, changed, grant } = memoryWorld();
    grant('g1', 'agent:stop:other');
    const reply = await handleToolCall(callOf('agent.stop', { agent: 'other' }), ports);
    expect(reply.isError).toBe(false);
    expect(events).toEqual(['call.intent', 'change', 'call.outcome']);
    expect(changed).toEqual([{ what: 'agent', verb: 'stop', agent: 'other' }]);
    expect(kept[1]?.data).toMatchObject({ status: 'ok', observed: { by: 'holdfastd', before: 'inactive', after: 'active' } });
  });

  test('is not made without its record, without a grant, or on oneself whatever was granted', async () => {
    const { ports, world, events, changed, kept, grant } = memoryWorld();
    expect(await handleToolCall(callOf('agent.stop', { agent: 'other' }), ports)).toMatchObject({ isError: true, data: { missing: ['agent:stop:other'] } });
    grant('g1', 'agent:stop:*');
    expect(await handleToolCall(callOf('agent.stop', { agent: 'demo' }), ports)).toMatchObject({ isError: true, data: { rule: 'agent.self' } });
    expect(kept.map(({ kind }) => kind)).toEqual(['call.refused', 'call.refused']);
    world.onAppend = async () => LEDGER_DOWN;
    expect(await handleToolCall(callOf('agent.stop', { agent: 'other' }), ports)).toMatchObject({ isError: true });
    expect([changed, events.includes('change')]).toEqual([[], false]);
  });
});
