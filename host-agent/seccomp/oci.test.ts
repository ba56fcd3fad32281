// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { ERRNO, answerTo, type Answer, type Call, type Errno } from './filter.ts';
import { ociProfile, type OciProfile } from './oci.ts';
import { tries } from './testdata/tries.ts';
import { readFilter, readNumbers } from './write-filters.ts';

const numbers = readNumbers();
const filter = readFilter('container');
const profile = ociProfile(filter);

/** All rules that speak of a call, as the runtime specification says: none may contradict another. */
function answers({ syscalls, defaultErrnoRet }: OciProfile, name: string | undefined, { args }: Call): readonly Answer[] {
  const rules = syscalls.filter((rule) => name !== undefined && rule.names.includes(name) && (rule.args ?? []).every((arg) => {
    return (args[arg.index]! & BigInt(arg.value)) === BigInt(arg.valueTwo);
  }));
  const named = (errno: number): Errno => (Object.keys(ERRNO) as Errno[]).find((key) => ERRNO[key] === errno)!;
  return rules.length === 0 ? [named(defaultErrnoRet)] : rules.map(({ action, errnoRet }) => (action === 'SCMP_ACT_ALLOW' ? 'allow' : named(errnoRet!)));
}

test('the containers\' profile answers as the source does, and no two rules speak of one call', () => {
  const names = new Map([...numbers].map(([name, nr]) => [nr, name]));
  const wrong: string[] = [];
  for (const call of tries(filter, numbers)) {
    // An architecture has no name here: libseccomp kills what is not of `architectures`.
    if (!call.native || call.nr >= 0x4000_0000) continue;
    const got = answers(profile, names.get(call.nr), call);
    if (got.length !== 1 || got[0] !== answerTo(filter, numbers, call)) wrong.push(`${names.get(call.nr)} ${call.args.join(',')}: ${got.join(' and ')}`);
  }
  expect(wrong).toEqual([]);
});

test('no rule says what the default says: libseccomp refuses such a profile', () => {
  expect(profile.syscalls.filter(({ errnoRet }) => errnoRet === profile.defaultErrnoRet)).toEqual([]);
});
