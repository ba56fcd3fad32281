// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

// An allow-list (A21): a program reads far more names than anyone can list. LD_*, NODE_OPTIONS, GIT_*, BASH_ENV, PYTHON*, PERL5OPT,
// PATH and their like would let whoever may run one program run another one inside it.
const WORD = /^[A-Za-z0-9_.,:@=+-]{0,128}$/;
const NUMBER = /^[0-9]{1,12}$/;
const SETTABLE: Readonly<Record<string, RegExp>> = {
  LANG: WORD,
  LANGUAGE: WORD,
  LC_ALL: WORD,
  LC_COLLATE: WORD,
  LC_CTYPE: WORD,
  LC_MESSAGES: WORD,
  LC_MONETARY: WORD,
  LC_NUMERIC: WORD,
  LC_TIME: WORD,
  // A zone may name a region; a leading / or : would name a file.
  TZ: /^(?![:/])(?!.*\.\.)[A-Za-z0-9_+,/-]{0,64}$/,
  TERM: WORD,
  COLUMNS: NUMBER,
  LINES: NUMBER,
  NO_COLOR: WORD,
  CI: WORD,
  NODE_ENV: WORD,
  SOURCE_DATE_EPOCH: NUMBER,
};

export const SETTABLE_NAMES: readonly string[] = Object.keys(SETTABLE);

/** The whole environment of a call: ours, and what the caller may choose of it. Nothing is inherited (R47). */
export function callEnvironment(asked: Readonly<Record<string, string>>, home: string): Result<Readonly<Record<string, string>>> {
  const env: Record<string, string> = { HOME: home, LANG: 'C.UTF-8', PATH: '/usr/bin:/usr/sbin', TERM: 'dumb', TMPDIR: '/tmp' };
  for (const [name, value] of Object.entries(asked)) {
    const values = Object.hasOwn(SETTABLE, name) ? SETTABLE[name] : undefined;
    if (values === undefined) {
      return refuse(`cannot set the environment variable ${JSON.stringify(name)}: only ${SETTABLE_NAMES.join(', ')} may be set for a call`);
    }
    if (!values.test(value)) return refuse(`cannot set the environment variable ${name} to that value: use plain words or numbers`);
    env[name] = value;
  }
  return accept(env);
}
