// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { EntryDraft, JsonObject } from '../ledger/entry.ts';
import { redactor } from '../secret/redaction.ts';
import { handleToolCall } from './handle-tool-call.ts';
import type { LedgerPort } from './ports.ts';
import { redactedLedger, type RedactPort } from './redact.ts';
import { callOf, memoryWorld, result } from './testdata/memory-world.ts';

const SECRET = 'sk-proj-0123456789abcdefghij';

/** The real redactor without a socket between; `away` is a secretd that does not answer. */
function redaction(): { port: RedactPort; state: { needed: boolean; away: boolean; wait: Promise<unknown> } } {
  const known = redactor([{ name: 'KEY', value: Buffer.from(SECRET) }]);
  const state = { needed: true, away: false, wait: Promise.resolve() as Promise<unknown> };
  return {
    state,
    port: {
      needed: () => state.needed,
      texts: async (texts) => {
        await state.wait;
        return state.away ? refuse('holdfast-secretd does not answer') : accept(known.texts(texts).texts);
      },
      stream: () => {
        throw new Error('no test here streams');
      },
    },
  };
}

describe('a call and its reply', () => {
  function world(): { memory: ReturnType<typeof memoryWorld>; state: ReturnType<typeof redaction>['state']; run: (args: JsonObject) => ReturnType<typeof handleToolCall> } {
    const memory = memoryWorld();
    const { port, state } = redaction();
    const ports = { ...memory.ports, redact: port, ledger: redactedLedger(memory.ports.ledger, port) };
    memory.world.onRun = async () => accept(result({ stdout: Buffer.from(`the key is ${SECRET}\n`) }));
    return { memory, state, run: (args) => handleToolCall(callOf('fs.write', args), ports) };
  }

  it('show the secret when there is none to be known: the positive control', async () => {
    const { state, run, memory } = world();
    state.needed = false;
    expect(JSON.stringify(await run({ path: '/workspace/a', content: SECRET }))).toContain(SECRET);
    expect(JSON.stringify(memory.kept)).toContain(SECRET);
  });

  it('hold no secret: not in text, not in data, not in the entries, and the digest is of the text that the agent gets', async () => {
    const { run, memory } = world();
    const reply = await run({ path: '/workspace/a', content: `${'x'.repeat(50)}${SECRET}${'y'.repeat(2_000)}` });
    expect(reply.isError).toBe(false);
    expect(reply.text).toContain('[secret KEY removed]');
    expect(JSON.stringify(reply)).not.toContain('sk-proj');
    const [intent, outcome] = memory.kept;
    expect(JSON.stringify(memory.kept)).not.toContain('sk-');
    expect(intent!.kind).toBe('call.intent');
    const { createHash } = await import('node:crypto');
    expect(outcome!.data['output_digest']).toBe(createHash('sha256').update(reply.text).digest('hex'));
  });

  it('are withheld when nobody can look through them, and recorded without what came from outside', async () => {
    const { run, memory, state } = world();
    state.away = true;
    const reply = await run({ path: '/workspace/a', content: SECRET });
    expect(reply).toMatchObject({ isError: true, data: { failed: 'withheld' } });
    expect(reply.text).toMatch(/withheld.*does not answer/);
    expect(memory.kept.map(({ kind }) => kind)).toEqual(['call.intent', 'call.outcome']);
    expect(JSON.stringify([reply, memory.kept])).not.toContain('sk-proj');
    expect(memory.kept[0]!.data).toMatchObject({ call: 'c1', agent: 'demo', arguments: { content: expect.stringMatching(/^\[not looked through: \d+ bytes, sha256 /) } });
  });
});

describe('entries', () => {
  const draft = (kind: EntryDraft['kind'], data: JsonObject): EntryDraft => ({ kind, actor: { type: 'system', id: 'holdfastd' }, trace: null, span: null, data });

  it('keep their order, whatever has to wait', async () => {
    const { port, state } = redaction();
    const written: string[] = [];
    const ledger: LedgerPort = { append: async ({ data }): Promise<Result<never>> => (written.push(String(data['reason'])), refuse('only looked at')) };
    const redacted = redactedLedger(ledger, port);
    let go: (value: unknown) => void = () => undefined;
    state.wait = new Promise((resolve) => (go = resolve));
    const first = redacted.append(draft('grant.requested', { reason: `1 ${SECRET}` }), null);
    state.wait = Promise.resolve();
    const second = redacted.append(draft('grant.requested', { reason: '2' }), null);
    state.needed = false;
    const third = redacted.append(draft('grant.requested', { reason: '3' }), null);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(written).toEqual([]);
    go(null);
    await Promise.all([first, second, third]);
    expect(written).toEqual(['1 [secret KEY removed]', '2', '3']);
    const fourth = redacted.append(draft('grant.requested', { reason: '4' }), null);
    expect(written.at(-1), 'without a store nothing waits').toBe('4');
    await fourth;
  });

  it('hold no secret in the names of members, and lose none of them', async () => {
    const { port } = redaction();
    const seen: JsonObject[] = [];
    const redacted = redactedLedger({ append: async ({ data }) => (seen.push(data), refuse('only looked at')) }, port);
    await redacted.append(draft('grant.requested', { env: { [SECRET]: 'a', [SECRET.toUpperCase()]: 'b' }, reason: 'x' }), null);
    expect(seen).toEqual([{ env: { '[secret KEY removed]': 'a', '[secret KEY removed] 1': 'b' }, reason: 'x' }]);
  });
});
