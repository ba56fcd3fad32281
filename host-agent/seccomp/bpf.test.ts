// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instructionsOf, run } from './bpf-machine.ts';
import { bytesOf, compile, type Instruction } from './bpf.ts';
import { answerTo, type Call, type Decision, type Errno, type Filter, type Numbers } from './filter.ts';
import { tries } from './testdata/tries.ts';
import { readFilter, readNumbers } from './write-filters.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 60);
const numbers = readNumbers();

function differences(program: readonly Instruction[], filter: Filter, of: Numbers): string[] {
  const found: string[] = [];
  for (const call of tries(filter, of)) {
    const [wanted, got] = [answerTo(filter, of, call), run(program, call)];
    if (wanted !== got) found.push(`${call.native} ${call.nr} ${call.args.map((a) => a.toString(16)).join(',')}: ${got}, not ${wanted}`);
  }
  return found;
}

describe.each(['call', 'file-tool', 'container'])('the compiled filter %s', (name) => {
  const filter = readFilter(name);
  const program = compile(filter, numbers);

  test('answers as its source does, for each number and each edge of an argument', () => {
    expect(differences(program, filter, numbers)).toEqual([]);
  });

  test('is what the kernel takes: whole instructions that end', () => {
    expect(instructionsOf(bytesOf(program))).toEqual(program);
    for (const [i, { jt, jf }] of program.entries()) expect(i + Math.max(jt, jf)).toBeLessThan(program.length);
  });
});

test('a wrong branch would be seen', () => {
  const filter = readFilter('call');
  const program = compile(filter, numbers);
  const changed = program.map((step) => (step.k === 56 ? { ...step, k: 57 } : step));
  expect(differences(changed, filter, numbers)).not.toEqual([]);
});

const errno = fc.constantFrom<Errno>('EPERM', 'ENOSYS', 'EAFNOSUPPORT');
const word = fc.oneof(fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const decision: fc.Arbitrary<Decision> = fc.oneof(
  fc.constant<Decision>({ kind: 'allow' }),
  fc.record({ kind: fc.constant('refuse' as const), errno }),
  fc.record({
    kind: fc.constant('when' as const),
    arg: fc.integer({ min: 0, max: 5 }),
    errno,
    test: fc.oneof(
      fc.record({ op: fc.constantFrom('is' as const, 'is not' as const), values: fc.uniqueArray(word, { minLength: 1, maxLength: 9 }) }),
      fc.record({ op: fc.constant('lacks' as const), bits: word.filter((bits) => bits !== 0) }),
    ),
  }),
);

test('any filter answers as its source does, also where a branch is too short and a jump is needed', () => {
  const table = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 700 }), decision), { selector: ([nr]) => nr, minLength: 1, maxLength: 400, size: 'max' });
  const args = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 6, maxLength: 6 });
  const calls = fc.array(fc.record<Call>({ native: fc.boolean(), nr: fc.integer({ min: 0, max: 720 }), args }));
  let longest = 0;
  fc.assert(
    fc.property(table, calls, (rows, given) => {
      const of: Numbers = new Map(rows.map(([nr]) => [`call${nr}`, nr]));
      const filter: Filter = { name: 'any', decisions: new Map(rows.map(([nr, d]) => [`call${nr}`, d])) };
      const program = compile(filter, of);
      longest = Math.max(longest, program.length);
      const each = rows.map(([nr]) => ({ native: true, nr, args: [1n, 2n, 3n, 4n, 5n, 6n] }));
      for (const call of [...given, ...each]) expect(run(program, call)).toBe(answerTo(filter, of, call));
    }),
    { numRuns: COUNT },
  );
  expect(longest).toBeGreaterThan(600);
});
