// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { receiptBytes, type ReceiptBody } from '../ledger/receipt.ts';
import type { AgentName } from '../identity/ids.ts';
import { checkRun } from './check-run.ts';
import { parsePermit } from './parse-permit.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const facts = { agent: 'demo' as AgentName, receiptKey: publicKey, boot: 'boot-1', now: 1000 };
const stdin = Buffer.from('input');

const permit = {
  v: 1,
  call: 'call-1',
  agent: 'demo',
  tool: 'process.run',
  plan: {
    kind: 'process',
    root: 'image',
    argv: ['cat'],
    cwd: '/workspace',
    env: { LANG: 'C' },
    bindings: [{ path: '/workspace', access: 'rw', is: 'directory' }],
    hidden: ['/workspace/private'],
    limits: { timeoutMs: 1000, memoryMax: 1000, tasksMax: 10, outputMax: 10 },
  },
  stdin: { digest: sha256Hex(stdin), size: 5 },
  notAfter: 2000,
};

function receiptFor(value: JsonValue, change: Partial<ReceiptBody> = {}, key = privateKey): JsonObject {
  const body: ReceiptBody = { boot: 'boot-1', seq: 7, permit: sha256Hex(canonicalJson(value)), agent: facts.agent, notAfter: 2000, ...change };
  return { ...body, signature: sign(null, receiptBytes(body), key).toString('base64') };
}

function check(p: JsonValue, receipt: JsonValue, input: Uint8Array | null = stdin, change: Partial<typeof facts> = {}): string {
  const checked = checkRun({ permit: p, receipt }, input, { ...facts, ...change });
  return checked.ok ? 'run' : checked.error;
}

describe('a runner', () => {
  test('runs what the ledger has recorded, whatever the order of its keys', () => {
    expect(check(permit, receiptFor(permit))).toBe('run');
    const turned = Object.fromEntries(Object.entries(permit).toReversed()) as JsonValue;
    expect(check(turned, receiptFor(permit))).toBe('run');
  });

  test('refuses what no ledger of this machine signed', () => {
    expect(check(permit, receiptFor(permit, {}, generateKeyPairSync('ed25519').privateKey))).toBe('receipt_signature');
    expect(check(permit, { ...receiptFor(permit), notAfter: 9000 })).toBe('receipt_signature');
    expect(check(permit, { ...receiptFor(permit), signature: '' })).toBe('receipt_signature');
    expect(check(permit, null)).toBe('receipt_signature');
  });

  test('refuses a receipt of another boot, another agent, another permit', () => {
    expect(check(permit, receiptFor(permit, { boot: 'boot-0' }))).toBe('receipt_boot');
    expect(check(permit, receiptFor(permit, { agent: 'other' as AgentName }))).toBe('receipt_agent');
    expect(check({ ...permit, agent: 'other' }, receiptFor({ ...permit, agent: 'other' }))).toBe('receipt_agent');
    expect(check(permit, receiptFor({ ...permit, tool: 'fs.read' }))).toBe('receipt_permit');
    expect(check(permit, receiptFor(permit, { notAfter: 1500 }))).toBe('receipt_permit');
  });

  test('refuses a plan of which one value was changed after recording (A24)', () => {
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]): void => {
      if (typeof value === 'object' && value !== null) for (const [k, v] of Object.entries(value)) walk(v, [...path, k]);
      else paths.push(path);
    };
    walk(permit, []);
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const copy = structuredClone(permit) as unknown as Record<string, never>;
      let at = copy as Record<string, unknown>;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
      const last = path.at(-1)!;
      at[last] = typeof at[last] === 'number' ? (at[last] as number) + 1 : `${String(at[last])}x`;
      expect(check(copy, receiptFor(permit)), path.join('.')).toBe('receipt_permit');
    }
  });

  test('refuses after the permitted time, from its first millisecond on', () => {
    expect(check(permit, receiptFor(permit), stdin, { now: 1999 })).toBe('run');
    expect(check(permit, receiptFor(permit), stdin, { now: 2000 })).toBe('receipt_late');
  });

  test('refuses other input than the recorded one', () => {
    expect(check(permit, receiptFor(permit), Buffer.from('inpux'))).toBe('stdin_digest');
    expect(check(permit, receiptFor(permit), null)).toBe('stdin_digest');
    const without = { ...permit, stdin: null };
    expect(check(without, receiptFor(without), null)).toBe('run');
    expect(check(without, receiptFor(without), new Uint8Array())).toBe('stdin_digest');
  });
});

describe('a permit', () => {
  test('may name secrets for a program', () => expect(parsePermit({ ...permit, plan: { ...permit.plan, secrets: ['A_KEY', 'B_KEY'] } } as unknown as JsonValue)).toMatchObject({ ok: true, value: { plan: { secrets: ['A_KEY', 'B_KEY'] } } }));

  const plan = permit.plan;
  test.each<[string, JsonValue]>([
    ['an unknown field', { ...permit, extra: 1 }],
    ['another version', { ...permit, v: 2 }],
    ['a call id that is a path', { ...permit, call: '../main' }],
    ['a missing plan', { ...permit, plan: null }],
    ['no command', { ...permit, plan: { ...plan, argv: [] } }],
    ['a NUL in an argument', { ...permit, plan: { ...plan, argv: ['a\0b'] } }],
    ['an argument that is no text', { ...permit, plan: { ...plan, argv: [1] } }],
    ['another program as the file tool', { ...permit, plan: { ...plan, kind: 'file' } }],
    ['a root that nobody knows', { ...permit, plan: { ...plan, root: '/tmp' } }],
    ['a relative cwd', { ...permit, plan: { ...plan, cwd: 'x' } }],
    ['a cwd with ..', { ...permit, plan: { ...plan, cwd: '/workspace/..' } }],
    ['a variable name with =', { ...permit, plan: { ...plan, env: { 'A=B': 'x' } } }],
    ['a binding of the root', { ...permit, plan: { ...plan, bindings: [{ path: '/', access: 'ro' }] } }],
    ['a binding of a socket of ours', { ...permit, plan: { ...plan, bindings: [{ path: '/run/holdfast/operator.sock', access: 'ro' }] } }],
    ['a binding that is not normal', { ...permit, plan: { ...plan, bindings: [{ path: '/a/../b', access: 'ro' }] } }],
    ['a binding of unknown access', { ...permit, plan: { ...plan, bindings: [{ path: '/a', access: 'rwx' }] } }],
    ['too many bindings', { ...permit, plan: { ...plan, bindings: Array.from({ length: 65 }, (_, i) => ({ path: `/a${i}`, access: 'ro' })) } }],
    ['nothing said of what is hidden', { ...permit, plan: Object.fromEntries(Object.entries(plan).filter(([name]) => name !== 'hidden')) as JsonValue }],
    ['a hidden place that is not normal', { ...permit, plan: { ...plan, hidden: ['/workspace/../x'] } }],
    ['too many hidden places', { ...permit, plan: { ...plan, hidden: Array.from({ length: 65 }, (_, i) => `/a${i}`) } }],
    ['a limit that is no count', { ...permit, plan: { ...plan, limits: { ...plan.limits, memoryMax: -1 } } }],
    ['a digest that is none', { ...permit, stdin: { digest: 'x', size: 1 } }],
    ['secrets that are no list', { ...permit, plan: { ...plan, secrets: 'A_KEY' } }],
    ['no secret in the list of them', { ...permit, plan: { ...plan, secrets: [] } }],
    ['a secret twice', { ...permit, plan: { ...plan, secrets: ['A_KEY', 'A_KEY'] } }],
    ['a secret whose name is none', { ...permit, plan: { ...plan, secrets: ['a/b'] } }],
    ['too many secrets', { ...permit, plan: { ...plan, secrets: ['A', 'B', 'C', 'D', 'E'] } }],
    ['secrets for the file tool', { ...permit, plan: { ...plan, kind: 'file', argv: ['file-tool', 'read', '/a'], secrets: ['A_KEY'] } }],
    ['secrets on a terminal', { ...permit, plan: { ...plan, terminal: { columns: 80, rows: 25 }, secrets: ['A_KEY'] } }],
    ['a list', [permit]],
  ])('with %s is refused even when it was recorded', (_, broken) => {
    expect(parsePermit(permit).ok).toBe(true);
    expect(parsePermit(broken).ok).toBe(false);
    expect(check(broken, receiptFor(broken))).toBe('receipt_permit');
  });
});
