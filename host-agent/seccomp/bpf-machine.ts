// SPDX-License-Identifier: Apache-2.0
// For tests: what the kernel would answer. Knows the few instructions that filters are made of, ours and libseccomp's.
import {
  AT_ARCH, AT_NR, IF_ANY_BIT, IF_AT_LEAST, IF_EQUAL, JUMP, LOAD, RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS, RETURN, X86_64, type Instruction,
} from './bpf.ts';
import { ERRNO, type Answer, type Call } from './filter.ts';

const IF_ABOVE = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RET_KILL_THREAD = 0;
const I386 = 0x4000_0003;

export function instructionsOf(bytes: Uint8Array): readonly Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => ({
    code: view.getUint16(i * 8, true), jt: view.getUint8(i * 8 + 2), jf: view.getUint8(i * 8 + 3), k: view.getUint32(i * 8 + 4, true),
  }));
}

export function run(program: readonly Instruction[], call: Call): Answer {
  let a = 0;
  for (let at = 0; ; at += 1) {
    const step = program[at];
    if (step === undefined) throw new Error('the filter runs past its end');
    const { code, jt, jf, k } = step;
    const go = (yes: boolean): void => void (at += yes ? jt : jf);
    switch (code) {
      case LOAD:
        a = word(call, k);
        break;
      case JUMP:
        at += k;
        break;
      case IF_EQUAL:
        go(a === k);
        break;
      case IF_AT_LEAST:
        go(a >= k);
        break;
      case IF_ABOVE:
        go(a > k);
        break;
      case IF_ANY_BIT:
        go((a & k) !== 0);
        break;
      case AND:
        a = (a & k) >>> 0;
        break;
      case RETURN:
        return answerOf(k);
      default:
        throw new Error(`an instruction 0x${code.toString(16)}`);
    }
  }
}

function word({ native, nr, args }: Call, offset: number): number {
  if (offset === AT_NR) return nr;
  if (offset === AT_ARCH) return native ? X86_64 : I386;
  const arg = args[(offset - 16) >> 3];
  if (arg === undefined || offset % 4 !== 0) throw new Error(`a load at ${offset}`);
  return Number(BigInt.asUintN(32, offset % 8 === 0 ? arg : arg >> 32n));
}

function answerOf(k: number): Answer {
  if (k === RET_ALLOW) return 'allow';
  if (k === RET_KILL_PROCESS || k === RET_KILL_THREAD) return 'killed';
  const name = Object.entries(ERRNO).find(([, number]) => k === RET_ERRNO + number)?.[0];
  if (name === undefined) throw new Error(`an answer 0x${k.toString(16)}`);
  return name as Answer;
}
