// SPDX-License-Identifier: Apache-2.0
import { ERRNO, UNKNOWN, type Answer, type Errno, type Filter, type Test } from './filter.ts';

type Arg = { readonly index: number; readonly value: number; readonly valueTwo: number; readonly op: 'SCMP_CMP_MASKED_EQ' };
type Rule = { readonly names: readonly string[]; readonly action: string; readonly errnoRet?: number; readonly args?: readonly Arg[] };
export type OciProfile = {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly ['SCMP_ARCH_X86_64'];
  readonly syscalls: readonly Rule[];
};

/** Argument bits under a mask that are one value: all that libseccomp can compare of half a register. */
type Pattern = { readonly mask: number; readonly value: number };

/**
 * The filter as the OCI runtime specification and Podman read it. What has no rule gets the default, ENOSYS, and a rule that says
 * the same as the default is an error to libseccomp. Rules for one system call never overlap: which would win is not specified.
 */
export function ociProfile(filter: Filter): OciProfile {
  const named = (wanted: Answer): string[] =>
    [...filter.decisions].filter(([, d]) => (d.kind === 'refuse' ? d.errno : d.kind) === wanted).map(([name]) => name).sort();
  const errnos = (Object.keys(ERRNO) as Errno[]).filter((errno) => errno !== UNKNOWN);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ERRNO[UNKNOWN],
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [
      rule(named('allow'), 'allow'),
      ...errnos.map((errno) => rule(named(errno), errno)).filter(({ names }) => names.length > 0),
      ...[...filter.decisions].flatMap(([name, d]) => {
        if (d.kind !== 'when') return [];
        const { passing, failing } = patternsOf(d.test);
        const each = (patterns: readonly Pattern[], answer: 'allow' | Errno) => patterns.map((p) => rule([name], answer, argOf(d.arg, p)));
        return [...each(passing, 'allow'), ...(d.errno === UNKNOWN ? [] : each(failing, d.errno))];
      }),
    ],
  };
}

function rule(names: readonly string[], answer: 'allow' | Errno, arg?: Arg): Rule {
  const args = arg === undefined ? {} : { args: [arg] };
  return answer === 'allow' ? { names, action: 'SCMP_ACT_ALLOW', ...args } : { names, action: 'SCMP_ACT_ERRNO', errnoRet: ERRNO[answer], ...args };
}

/** `value` is the mask and `valueTwo` what is left under it. */
function argOf(index: number, { mask, value }: Pattern): Arg {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

function patternsOf(test: Test): { readonly passing: readonly Pattern[]; readonly failing: readonly Pattern[] } {
  switch (test.op) {
    case 'is':
      return { passing: test.values.map(exactly), failing: allBut(test.values) };
    case 'is not':
      return { passing: allBut(test.values), failing: test.values.map(exactly) };
    case 'lacks':
      return { passing: [{ mask: test.bits, value: 0 }], failing: lowestOf(test.bits) };
  }
}

function exactly(value: number): Pattern {
  return { mask: 0xffff_ffff, value };
}

/** One pattern for each bit that can be the lowest one set. */
function lowestOf(bits: number): readonly Pattern[] {
  const set = Array.from({ length: 32 }, (_, i) => 2 ** i).filter((bit) => (bits & bit) !== 0);
  return set.map((bit, i) => ({ mask: set.slice(0, i + 1).reduce((a, b) => a + b, 0), value: bit }));
}

/** All 32-bit values but these, as a routing table would say it: by their leading bits. */
function allBut(values: readonly number[], bit = 31, prefix: Pattern = { mask: 0, value: 0 }): readonly Pattern[] {
  if (values.length === 0) return [prefix];
  if (bit < 0) return [];
  const weight = 2 ** bit;
  const mask = prefix.mask + weight;
  const [ones, zeros] = [values.filter((v) => (v & weight) !== 0), values.filter((v) => (v & weight) === 0)];
  return [...allBut(zeros, bit - 1, { mask, value: prefix.value }), ...allBut(ones, bit - 1, { mask, value: prefix.value + weight })];
}
