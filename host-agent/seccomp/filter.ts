// SPDX-License-Identifier: Apache-2.0

/** What the folder seccomp/ says, parsed. Everything that is made of it (BPF, JSON, units) is tested equal to `answerTo`. */
export const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
export type Errno = keyof typeof ERRNO;

export type Test =
  | { readonly op: 'is' | 'is not'; readonly values: readonly number[] }
  | { readonly op: 'lacks'; readonly bits: number };

export type Decision =
  | { readonly kind: 'allow' }
  | { readonly kind: 'refuse'; readonly errno: Errno }
  /** Allowed when the low 32 bits of the argument pass. */
  | { readonly kind: 'when'; readonly arg: number; readonly test: Test; readonly errno: Errno };

export type Filter = {
  readonly name: string;
  /** One for each system call of the table. */
  readonly decisions: ReadonlyMap<string, Decision>;
};

export type Numbers = ReadonlyMap<string, number>;

/** `killed`: the whole process, with SIGSYS. */
export type Answer = 'allow' | 'killed' | Errno;

export type Call = { readonly native: boolean; readonly nr: number; readonly args: readonly bigint[] };

/** A number that is newer than the list: a C library that meets it takes its older way. */
export const UNKNOWN: Errno = 'ENOSYS';
/** Numbers from here on are those of x32: another table, behind the same architecture. */
export const X32 = 0x4000_0000;
/** What a tracer puts in the place of a call to skip it; never a number of x32. */
export const SKIPPED = 0xffff_ffff;

/** The meaning of a filter, said slowly. */
export function answerTo(filter: Filter, numbers: Numbers, { native, nr, args }: Call): Answer {
  if (!native || (nr >= X32 && nr !== SKIPPED)) return 'killed';
  const name = [...numbers].find(([, number]) => number === nr)?.[0];
  const decision = name === undefined ? undefined : filter.decisions.get(name);
  if (decision === undefined) return UNKNOWN;
  switch (decision.kind) {
    case 'allow':
      return 'allow';
    case 'refuse':
      return decision.errno;
    case 'when':
      return passes(decision.test, Number(BigInt.asUintN(32, args[decision.arg]!))) ? 'allow' : decision.errno;
  }
}

function passes(test: Test, value: number): boolean {
  switch (test.op) {
    case 'is':
      return test.values.includes(value);
    case 'is not':
      return !test.values.includes(value);
    case 'lacks':
      return (value & test.bits) === 0;
  }
}
