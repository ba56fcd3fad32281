// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstAnswering, firstCovering, indexCapabilities } from './capability-index.ts';
import { covers, parseCapability, parseRequest, treeBelow, type Capability, type CapabilityRequest } from './capability.ts';
import { contains } from './contains.ts';
import { overlaps } from './overlaps.ts';

const COUNT = Number(process.env.HOLDFAST_COUNT ?? 20_000);

// The matcher again, in the words of R1, one character at a time and without a thought for speed.
function reference(pattern: string, text: string, path: boolean): boolean {
  if (pattern === '*') return true;
  if (path && text === '/') return pattern === '/';
  const known = new Map<number, boolean>();
  function from(p: number, t: number): boolean {
    const key = p * 10_000 + t;
    const before = known.get(key);
    if (before !== undefined) return before;
    const answer = compute(p, t);
    known.set(key, answer);
    return answer;
  }
  function compute(p: number, t: number): boolean {
    if (p === pattern.length) return t === text.length;
    if (path && pattern.startsWith('**', p)) return t < text.length && (from(p + 2, t + 1) || from(p, t + 1));
    if (pattern[p] === '*') return from(p + 1, t) || (t < text.length && !(path ? '/' : ':/').includes(text[t]!) && from(p, t + 1));
    return text[t] === pattern[p] && from(p + 1, t + 1);
  }
  return from(0, 0);
}

const globSegment = fc.stringMatching(/^[ab*]{1,6}$/).filter((text) => !text.includes('**'));
// The long ones are those for which the matcher searches in another way than for short ones.
const piece = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', '**', '**', '**') },
  { weight: 3, arbitrary: globSegment },
  { weight: 1, arbitrary: fc.constantFrom(`*${'a'.repeat(17)}b*`, `a*${'ab'.repeat(9)}*b`, `*${'aab'.repeat(6)}*`) },
);
const pathPattern = fc.oneof(
  { weight: 30, arbitrary: fc.array(piece, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`) },
  { weight: 1, arbitrary: fc.constant('*') },
);
const segment = fc.stringMatching(/^[ab*]{1,4}$/);
const freePath = fc.array(fc.oneof(segment, fc.constant('**')), { maxLength: 7 }).map((parts) => `/${parts.join('/')}`);
const field = fc.stringMatching(/^[ab]{0,2}\*?[ab]{0,2}\*?$/).filter((text) => !text.includes('**'));
const otherText = (part: fc.Arbitrary<string>) =>
  fc
    .tuple(part, fc.array(fc.tuple(fc.constantFrom(':', '/'), part), { maxLength: 3 }))
    .map(([first, more]) => first + more.flat().join(''))
    .filter(Boolean);
const otherPattern = otherText(field);

/** A text made from the pattern, so that about half of the pairs match, then perhaps changed in one place. */
function near(pattern: fc.Arbitrary<string>, path: boolean): fc.Arbitrary<readonly [string, string]> {
  const fillers = fc.array(fc.tuple(segment, segment, fc.integer({ min: 0, max: 3 })), { minLength: 16, maxLength: 16 });
  const change = fc.option(fc.tuple(fc.nat(30), fc.constantFrom('a', 'b', '*', path ? '/a' : ':')), { nil: null });
  return fc.tuple(pattern, fillers, change).map(([text, parts, changed]) => {
    let n = 0;
    const next = () => parts[n++ % 16]!;
    let made = text.replace(/\*\*|\*/g, (star) => {
      const [one, two, kind] = next();
      if (star === '**' && path) return kind < 2 ? one : `${one}/${two}`;
      return kind === 0 && text !== '/*' ? '' : one;
    });
    if (path) made = `/${made.split('/').filter(Boolean).join('/')}`;
    if (changed !== null && made.length > 1) {
      const at = 1 + (changed[0] % made.length);
      made = made.slice(0, at) + changed[1] + made.slice(at);
    }
    return [text, path ? `/${made.split('/').filter(Boolean).join('/')}` : made || 'a'] as const;
  });
}

function held(namespace: string, resource: string): Capability {
  const parsed = parseCapability(`${namespace}:x:${resource}`);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function asked(namespace: string, resource: string): CapabilityRequest {
  const parsed = parseRequest(`${namespace}:x:${resource}`);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const pairs = fc.oneof(
  fc.tuple(globSegment, fc.stringMatching(/^[ab]{1,6}$/)).map(([p, t]) => ['fs', `/${p}`, `/${t}`] as const),
  near(pathPattern, true).map(([p, t]) => ['fs', p, t] as const),
  fc.tuple(pathPattern, freePath).map(([p, t]) => ['fs', p, t] as const),
  near(otherPattern, false).map(([p, t]) => ['net', p, t] as const),
  fc.tuple(otherPattern, otherText(fc.stringMatching(/^[ab]{0,3}$/))).map(([p, t]) => ['net', p, t] as const),
);

describe(`A06, properties (${COUNT} cases each)`, () => {
  test('the matcher says what the slow reference says', { timeout: 3_600_000 }, () => {
    let matched = 0;
    fc.assert(
      fc.property(pairs, ([namespace, pattern, text]) => {
        const answer = covers(held(namespace, pattern), asked(namespace, text));
        if (answer) matched += 1;
        expect(answer).toBe(reference(pattern, text, namespace === 'fs'));
      }),
      { numRuns: COUNT },
    );
    // Otherwise the comparison would be about nothing.
    expect(matched / COUNT).toBeGreaterThan(0.2);
    expect(matched / COUNT).toBeLessThan(0.8);
  });

  test('what contains another covers all that the other covers', { timeout: 3_600_000 }, () => {
    let contained = 0;
    const cases = fc.oneof(
      fc.tuple(near(pathPattern, true), pathPattern).map(([[i, t], o]) => ['fs', o, i, t] as const),
      fc.tuple(near(pathPattern, true), fc.nat(5)).map(([[i, t], n]) => ['fs', widen(i, n), i, t] as const),
      fc.tuple(near(otherPattern, false), otherPattern).map(([[i, t], o]) => ['net', o, i, t] as const),
    );
    fc.assert(
      fc.property(cases, ([namespace, outer, inner, text]) => {
        const request = asked(namespace, text);
        if (!contains(held(namespace, outer), held(namespace, inner))) return;
        contained += 1;
        expect(overlaps(held(namespace, outer), held(namespace, inner))).toBe(true);
        if (covers(held(namespace, inner), request)) expect(covers(held(namespace, outer), request)).toBe(true);
      }),
      { numRuns: COUNT },
    );
    expect(contained / COUNT).toBeGreaterThan(0.1);
  });

  test('two that cover the same request overlap', { timeout: 3_600_000 }, () => {
    const cases = fc.tuple(near(pathPattern, true), pathPattern);
    fc.assert(
      fc.property(cases, ([[a, text], b]) => {
        const both = covers(held('fs', a), asked('fs', text)) && covers(held('fs', b), asked('fs', text));
        if (both) expect(overlaps(held('fs', a), held('fs', b))).toBe(true);
      }),
      { numRuns: COUNT },
    );
  });

  test('the index finds what a search one by one finds', { timeout: 3_600_000 }, () => {
    const list = fc.array(fc.oneof(pathPattern.map((p) => held('fs', p)), otherPattern.map((p) => held('net', p))), { maxLength: 30 });
    const request = fc.oneof(
      near(pathPattern, true).map(([, t]) => asked('fs', t)),
      near(otherPattern, false).map(([, t]) => asked('net', t)),
    );
    let answered = 0;
    fc.assert(
      fc.property(list, fc.array(request, { minLength: 1, maxLength: 5 }), (capabilities, requests) => {
        const index = indexCapabilities(capabilities);
        for (const one of requests) {
          const position = capabilities.findIndex((capability) => covers(capability, one));
          expect(firstCovering(index, one)).toBe(position === -1 ? null : position);
          const tree = treeBelow(one);
          if (!tree.ok) continue;
          const whole = capabilities.findIndex((capability) => contains(capability, tree.value));
          expect(firstAnswering(index, tree.value)).toBe(whole === -1 ? null : whole);
          answered += whole === -1 ? 0 : 1;
        }
      }),
      { numRuns: Math.ceil(COUNT / 10) },
    );
    expect(answered).toBeGreaterThan(COUNT / 100);
  });
});

function widen(pattern: string, n: number): string {
  if (pattern === '*') return pattern;
  const parts = pattern.slice(1).split('/');
  return `/${parts.map((part, at) => (at === n ? '*' : at === n + 1 ? '**' : part)).join('/')}`;
}
