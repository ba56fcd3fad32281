// SPDX-License-Identifier: Apache-2.0
import { ERRNO, SKIPPED, UNKNOWN, X32, type Answer, type Decision, type Filter, type Numbers, type Test } from './filter.ts';

/** struct sock_filter of linux/filter.h. */
export type Instruction = { readonly code: number; readonly jt: number; readonly jf: number; readonly k: number };

// linux/bpf_common.h
export const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
export const JUMP = 0x05; // BPF_JMP | BPF_JA
export const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
export const IF_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
export const IF_ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
export const RETURN = 0x06; // BPF_RET | BPF_K

// struct seccomp_data of linux/seccomp.h, little-endian
export const AT_NR = 0;
export const AT_ARCH = 4;
export const atArg = (arg: number): number => 16 + 8 * arg;
export const X86_64 = 0xc000_003e; // AUDIT_ARCH_X86_64

// linux/seccomp.h
export const RET_KILL_PROCESS = 0x8000_0000;
export const RET_ALLOW = 0x7fff_0000;
export const RET_ERRNO = 0x0005_0000;
/** BPF_MAXINSNS */
const MOST = 4096;

/**
 * Architecture first, then a binary search over runs of numbers with one answer. The kernel runs it once for each number when it is
 * loaded and remembers which it always allows, so that most calls never pay for it; that works for loads of number and architecture
 * only, which is why nothing else stands before the search.
 */
export function compile(filter: Filter, numbers: Numbers): readonly Instruction[] {
  const program = [
    load(AT_ARCH),
    branch(IF_EQUAL, X86_64, 1, 0),
    answer('killed'),
    load(AT_NR),
    branch(IF_AT_LEAST, X32, 0, 2),
    branch(IF_EQUAL, SKIPPED, 1, 0),
    answer('killed'),
    ...search(runsOf(filter, numbers)),
  ];
  if (program.length > MOST) throw new Error(`cannot compile ${filter.name}: ${program.length} instructions`);
  return program;
}

/** As the kernel takes it. */
export function bytesOf(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jt, i * 8 + 2);
    bytes.writeUInt8(jf, i * 8 + 3);
    bytes.writeUInt32LE(k, i * 8 + 4);
  });
  return bytes;
}

/** Numbers from `from` to the next run's. */
type Run = { readonly from: number; readonly decision: Decision };

function runsOf(filter: Filter, numbers: Numbers): readonly Run[] {
  const unknown: Decision = { kind: 'refuse', errno: UNKNOWN };
  const byNumber = new Map([...numbers].map(([name, nr]) => [nr, filter.decisions.get(name)!]));
  const runs: Run[] = [];
  for (let nr = 0; nr <= Math.max(...byNumber.keys()) + 1; nr += 1) {
    const decision = byNumber.get(nr) ?? unknown;
    const last = runs.at(-1);
    if (last === undefined || JSON.stringify(last.decision) !== JSON.stringify(decision)) runs.push({ from: nr, decision });
  }
  return runs;
}

function search(runs: readonly Run[]): readonly Instruction[] {
  if (runs.length === 1) return decide(runs[0]!.decision);
  const middle = runs.length >> 1;
  const below = search(runs.slice(0, middle));
  const above = search(runs.slice(middle));
  const from = runs[middle]!.from;
  // A branch reaches 255 instructions far, a jump anywhere.
  if (below.length <= 255) return [branch(IF_AT_LEAST, from, below.length, 0), ...below, ...above];
  return [branch(IF_AT_LEAST, from, 0, 1), { code: JUMP, jt: 0, jf: 0, k: below.length }, ...below, ...above];
}

function decide(decision: Decision): readonly Instruction[] {
  switch (decision.kind) {
    case 'allow':
      return [answer('allow')];
    case 'refuse':
      return [answer(decision.errno)];
    case 'when':
      return [load(atArg(decision.arg)), ...check(decision.test, answer('allow'), answer(decision.errno))];
  }
}

function check(test: Test, allowed: Instruction, refused: Instruction): readonly Instruction[] {
  switch (test.op) {
    case 'is':
      return oneOf(test.values, refused, allowed);
    case 'is not':
      return oneOf(test.values, allowed, refused);
    case 'lacks':
      return [branch(IF_ANY_BIT, test.bits, 1, 0), allowed, refused];
  }
}

function oneOf(values: readonly number[], no: Instruction, yes: Instruction): readonly Instruction[] {
  return [...values.map((value, i) => branch(IF_EQUAL, value, values.length - i, 0)), no, yes];
}

function load(offset: number): Instruction {
  return { code: LOAD, jt: 0, jf: 0, k: offset };
}

function branch(code: number, k: number, jt: number, jf: number): Instruction {
  return { code, jt, jf, k };
}

function answer(what: Answer): Instruction {
  const k = what === 'allow' ? RET_ALLOW : what === 'killed' ? RET_KILL_PROCESS : RET_ERRNO + ERRNO[what];
  return { code: RETURN, jt: 0, jf: 0, k };
}
