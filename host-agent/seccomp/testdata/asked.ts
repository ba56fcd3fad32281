// SPDX-License-Identifier: Apache-2.0
import { ERRNO, answerTo, type Answer, type Filter, type Numbers } from '../filter.ts';

/** What tests/vm/probe/system-calls.c prints, by what it asked: a number, or a number with arguments. */
export function asked(printed: string): ReadonlyMap<string, string> {
  const answers = new Map<string, string>();
  for (const line of printed.split('\n')) {
    const run = /^(\d+)-(\d+) (\w+)$/.exec(line);
    if (run !== null) for (let nr = Number(run[1]); nr <= Number(run[2]); nr += 1) answers.set(String(nr), run[3]!);
    const one = /^(x32|ia32|[\dxa-f,]+) (\w+)$/.exec(line);
    if (one !== null) answers.set(one[1]!, one[2]!);
  }
  return answers;
}

/** For each condition of a filter, arguments that pass and arguments that do not, as the probe takes them. */
export function conditions(filter: Filter, numbers: Numbers): readonly string[] {
  return [...filter.decisions].flatMap(([name, decision]) => {
    if (decision.kind !== 'when') return [];
    const { test, arg } = decision;
    const values = test.op === 'lacks' ? [0x80_0000, test.bits] : [...test.values, 0, 0x9999];
    return values.flatMap((value) => ['', 'deadbeef'].map((high) => {
      const given = `0x${high}${value.toString(16).padStart(8, '0')}`;
      return [numbers.get(name)!, ...Array.from({ length: arg + 1 }, (_, i) => (i === arg ? given : '0'))].join(',');
    }));
  });
}

/** What the source says to the same questions. */
export function wantedOf(filter: Filter, numbers: Numbers, questions: Iterable<string>): ReadonlyMap<string, string> {
  const said = (answer: Answer): string => (answer === 'allow' ? 'reached' : answer === 'killed' ? 'SIGSYS' : answer);
  return new Map([...questions].map((question) => {
    if (question === 'x32' || question === 'ia32') return [question, 'SIGSYS'];
    const [nr, ...args] = question.split(',');
    const all = Array.from({ length: 6 }, (_, i) => BigInt(args[i] ?? 0));
    return [question, said(answerTo(filter, numbers, { native: true, nr: Number(nr), args: all }))];
  }));
}

/** Names of what is let through, with these or other arguments. */
export function reachedNames(answers: ReadonlyMap<string, string>, numbers: Numbers): readonly string[] {
  const reached = new Set([...answers].filter(([, answer]) => answer === 'reached').map(([question]) => question.split(',')[0]!));
  return [...numbers].filter(([, nr]) => reached.has(String(nr))).map(([name]) => name).sort();
}

/** Every answer that the probe can be given; with `HAPPENED` a try was carried out. */
export const ANSWERS = ['reached', 'SIGSYS', ...Object.keys(ERRNO)];
