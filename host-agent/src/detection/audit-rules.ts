// SPDX-License-Identifier: Apache-2.0
import { ARCH, OPEN_CHANGES, OWN_CALLS } from './own-calls.ts';

// What the kernel is asked to record, as bytes of linux/audit.h. A rule names the AppArmor label of those it is about, so that who acted is
// the kernel's word at the moment of the act, and rules need not change when agents come and go.

const FIELD = { ARCH: 11, MSGTYPE: 12, SUBJ_ROLE: 14, ARG0: 200 } as const;
const OP = { EQUAL: 0x4000_0000, BIT_MASK: 0x0800_0000 } as const;
const LIST = { EXIT: 4, EXCLUDE: 5 } as const;
const ALWAYS = 2;
const PROCTITLE = 1327;
const FIELDS = 64;
const MASK_WORDS = 64;

type Test = { readonly field: number; readonly op: number; readonly value: number | string };

/** The rules for processes under these labels, each as struct audit_rule_data. */
export function rulesFor(labels: readonly string[]): readonly Uint8Array[] {
  const opens = [...OWN_CALLS].filter(([, call]) => call.flags !== undefined);
  const others = [...OWN_CALLS.keys()].filter((number) => OWN_CALLS.get(number)?.flags === undefined);
  return labels.flatMap((label) => {
    const who: readonly Test[] = [{ field: FIELD.ARCH, op: OP.EQUAL, value: ARCH }, subject(label)];
    return [
      rule(LIST.EXIT, who, others),
      ...opens.map(([number, call]) =>
        rule(LIST.EXIT, [...who, { field: FIELD.ARG0 + call.flags!, op: OP.BIT_MASK, value: OPEN_CHANGES }], [number])),
      // Says again, cut and in hexadecimal digits, what the exec's own record says.
      rule(LIST.EXCLUDE, [{ field: FIELD.MSGTYPE, op: OP.EQUAL, value: PROCTITLE }, subject(label)], []),
    ];
  });
}

/** AppArmor's one field (security/apparmor/audit.c: aa_audit_rule_init). A label whose profile is not loaded is refused. */
function subject(label: string): Test {
  return { field: FIELD.SUBJ_ROLE, op: OP.EQUAL, value: label };
}

function rule(list: number, tests: readonly Test[], calls: readonly number[]): Uint8Array {
  const texts = tests.flatMap(({ value }) => (typeof value === 'string' ? [new TextEncoder().encode(value)] : []));
  const textLength = texts.reduce((sum, text) => sum + text.length, 0);
  const words = 3 + MASK_WORDS + 3 * FIELDS + 1;
  const bytes = new Uint8Array(4 * words + textLength);
  const view = new DataView(bytes.buffer);
  const put = (word: number, value: number): void => view.setUint32(4 * word, value >>> 0, true);
  put(0, list);
  put(1, ALWAYS);
  put(2, tests.length);
  for (const number of calls) {
    const at = 4 * (3 + (number >> 5));
    view.setUint32(at, (view.getUint32(at, true) | (1 << (number & 31))) >>> 0, true);
  }
  tests.forEach(({ field, op, value }, i) => {
    put(3 + MASK_WORDS + i, field);
    put(3 + MASK_WORDS + FIELDS + i, typeof value === 'string' ? new TextEncoder().encode(value).length : value);
    put(3 + MASK_WORDS + 2 * FIELDS + i, op);
  });
  put(words - 1, textLength);
  let at = 4 * words;
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}

export function sameRules(ours: readonly Uint8Array[], kernels: readonly Uint8Array[]): boolean {
  const text = (rules: readonly Uint8Array[]): string => rules.map((bytes) => bytes.join()).sort().join('\n');
  return text(ours) === text(kernels);
}
