// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import { bindingsOf, decideUse } from './access.ts';
import { openAttempts } from './attempts.ts';
import { parseHeaderText } from './header-template.ts';
import { parseHostPort } from './host.ts';
import { familyOf, KEY_FAMILIES, shapeOf } from './key-family.ts';
import { parseSecretName, valueProblem, type SecretName } from './name.ts';
import { placeholderOf } from './placeholder.ts';
import type { SecretRecord, StoreHeader } from './store-header.ts';

const agent = (name: string): AgentName => name as AgentName;
const NOW = Date.parse('2026-11-22T00:00:00.000Z');
const secret = (change: Partial<SecretRecord> = {}): SecretRecord => ({
  name: 'A_KEY' as SecretName, family: 'anthropic', agents: [agent('coder')], forbid: [], hosts: [{ host: 'api.example.com', port: 443 }],
  header: { name: 'x-api-key', template: '{}' }, setAt: new Date(NOW).toISOString(), setBy: 'anna', rotateDays: 90, expires: null, oldUntil: null, ...change,
});
const store = (secrets: readonly SecretRecord[], levels: StoreHeader['levels'] = []): StoreHeader => ({ v: 1, id: 'ab'.repeat(16), generation: 1, slots: [], levels, secrets });
const use = (change: object = {}) => ({ name: 'A_KEY', agent: agent('coder'), host: 'api.example.com', port: 443, ...change });
const full = [{ agent: agent('coder'), level: 'full' as const }];

describe('who may use a secret (R44)', () => {
  test.each<[string, StoreHeader, object, 'ok' | 'not_bound' | 'expired']>([
    ['an agent that it names, at its host', store([secret()]), {}, 'ok'],
    ['another agent', store([secret()]), { agent: 'other' }, 'not_bound'],
    ['another name', store([secret()]), { name: 'B_KEY' }, 'not_bound'],
    ['another host', store([secret()]), { host: 'evil.example.com' }, 'not_bound'],
    ['a name that ends like the host', store([secret()]), { host: 'x.api.example.com' }, 'not_bound'],
    ['another port of its host', store([secret()]), { port: 80 }, 'not_bound'],
    ['forbidden though full', store([secret({ agents: [], forbid: [agent('coder')] })], full), {}, 'not_bound'],
    ['none though named', store([secret()], [{ agent: agent('coder'), level: 'none' }]), {}, 'not_bound'],
    ['full and not named', store([secret({ agents: [] })], full), {}, 'ok'],
    ['full, and another host all the same', store([secret({ agents: [] })], full), { host: 'evil.example.com' }, 'not_bound'],
    ['on the day before it expires', store([secret({ expires: new Date(NOW + 1).toISOString() })]), {}, 'ok'],
    ['expired', store([secret({ expires: new Date(NOW).toISOString() })]), {}, 'expired'],
    ['expired, and somebody else’s: no word of it', store([secret({ expires: new Date(NOW).toISOString() })]), { agent: 'other' }, 'not_bound'],
  ])('%s', (_what, header, asked, expected) => {
    const decided = decideUse(header, use(asked), NOW);
    expect(decided.ok ? 'ok' : decided.rule).toBe(expected);
  });

  test('no such secret and not yours are one answer (D13)', () => {
    expect(decideUse(store([secret()]), use({ name: 'B_KEY' }), NOW)).toEqual(decideUse(store([secret()]), use({ agent: agent('other') }), NOW));
  });

  test('property: what is published is what is decided', () => {
    const agents = ['coder', 'other', 'third'].map(agent);
    const list = fc.subarray(agents);
    fc.assert(fc.property(list, list, fc.array(fc.constantFrom('none' as const, 'scoped' as const, 'full' as const), { minLength: 3, maxLength: 3 }), (allowed, forbid, levels) => {
      const header = store([secret({ agents: allowed, forbid })], agents.map((named, at) => ({ agent: named, level: levels[at]! })));
      const [binding] = bindingsOf(header);
      for (const one of agents) expect(binding!.agents.includes(one)).toBe(decideUse(header, use({ agent: one }), NOW).ok);
    }));
  });
});

describe('placeholders', () => {
  test.each(KEY_FAMILIES)('%s: has its vendor’s shape, is the store’s own and does not change', (family) => {
    const { prefix, length, suffix } = shapeOf(family);
    const own = placeholderOf('ab'.repeat(16), 'A_KEY' as SecretName, family);
    expect(own).toMatch(/^[A-Za-z0-9_-]+$/);
    expect([own.startsWith(prefix), own.endsWith(suffix), own.length]).toEqual([true, true, prefix.length + length + suffix.length]);
    expect(placeholderOf('ab'.repeat(16), 'A_KEY' as SecretName, family)).toBe(own);
    const others = [placeholderOf('cd'.repeat(16), 'A_KEY' as SecretName, family), placeholderOf('ab'.repeat(16), 'B_KEY' as SecretName, family)];
    for (const other of others) expect(other.includes(own.slice(prefix.length)) || own.includes(other.slice(prefix.length))).toBe(false);
  });

  test('a thousand names have a thousand placeholders, none within another', () => {
    const all = Array.from({ length: 1000 }, (_, n) => placeholderOf('ab'.repeat(16), `KEY_${n}` as SecretName, 'aws'));
    expect(new Set(all).size).toBe(1000);
  });

  test.each([
    ['ANTHROPIC_API_KEY', 'sk-ant-api03-x', 'anthropic'],
    ['ANTHROPIC_API_KEY', 'whatever', 'anthropic'],
    ['KEY', 'sk-ant-api03-x', 'anthropic'],
    ['KEY', 'sk-proj-x', 'openai-project'],
    ['KEY', 'sk-or-v1-x', 'openrouter'],
    ['KEY', 'sk-x', 'openai'],
    ['OPENAI_API_KEY', 'x', 'openai-project'],
    ['KEY', 'ghp_x', 'github'],
    ['KEY', 'github_pat_x', 'github-fine'],
    ['GH_TOKEN', 'x', 'github'],
    ['KEY', 'glpat-x', 'gitlab'],
    ['NPM_TOKEN', 'x', 'npm'],
    ['HF_TOKEN', 'x', 'huggingface'],
    ['KEY', 'AKIAX', 'aws'],
    ['GEMINI_API_KEY', 'x', 'google'],
    ['SOMETHING', 'x', 'generic'],
    ['NPMX', 'x', 'generic'],
  ])('%s with %s is a key of %s', (name, value, family) => {
    expect(familyOf(name, Buffer.from(value))).toBe(family);
  });
});

describe('words of operators', () => {
  test.each([['api.example.com', { host: 'api.example.com', port: 443 }], ['api.example.com:8443', { host: 'api.example.com', port: 8443 }]])('%s is a host', (text, value) => {
    expect(parseHostPort(text)).toEqual({ ok: true, value });
  });

  test.each(['', '*', '*.example.com', 'API.example.com', 'api.example.com.', 'localhost', '127.0.0.1', '10.1', 'a.0x7f', '[::1]', 'api.example.com:0', 'api.example.com:65536', 'api.example.com:', 'user@api.example.com', 'api.example.com/x', 'a..b', '-a.example', 'a-.example', 'a b.example', 'exämple.com'])('%s is none that a secret can be bound to', (text) => {
    expect(parseHostPort(text).ok).toBe(false);
  });

  test.each([['x-api-key: {}', true], ['Authorization: Bearer {}', true], ['authorization:Basic {}', true], ['Bearer {}', false], ['host: {}', false], ['Content-Length: {}', false], ['x: none', false], ['x: {} {}', false], ['x y: {}', false], ['x: {}\r\ny: 1', false], ['x: {}\u00e9', false]])('header %j: %s', (text, ok) => {
    expect(parseHeaderText(text).ok).toBe(ok);
  });

  test.each([['A', true], ['ANTHROPIC_API_KEY', true], ['a', false], ['1A', false], ['A-B', false], ['A'.repeat(65), false], ['__proto__', false]])('name %s: %s', (text, ok) => {
    expect(parseSecretName(text).ok).toBe(ok);
  });

  test.each([['sk-ant-api03-x', null], ['with space', null], ['', 'empty'], ['two\nlines', 'one line'], ['tab\tbed', 'one line'], ['\u00e9', 'one line'], [' x', 'space'], ['x'.repeat(8193), 'longer']])('value %j: %s', (text, problem) => {
    const found = valueProblem(Buffer.from(text));
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  });
});

test('wrong passphrases: three for nothing, then each waits twice as long, up to five minutes; a right one clears it', () => {
  let now = 1_000;
  const attempts = openAttempts(() => now);
  const waits: number[] = [];
  for (let n = 0; n < 14; n += 1) {
    expect(attempts.waitMs()).toBe(0);
    attempts.wrong();
    waits.push(attempts.waitMs());
    now += attempts.waitMs();
  }
  expect(waits).toEqual([0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000, 300_000]);
  attempts.right();
  attempts.wrong();
  expect(attempts.waitMs()).toBe(0);
});
