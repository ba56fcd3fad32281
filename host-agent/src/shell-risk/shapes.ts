// SPDX-License-Identifier: Apache-2.0
import { MOST_LINE } from './limits.ts';
import type { Finding, Risk, RiskClass } from './verdict.ts';
import type { Disguise } from './word-values.ts';

function finding(rule: string, of: RiskClass, risk: Risk, why: string): Finding {
  return { rule, class: of, risk, why };
}

/** What the way a line is made says, whatever its programs are: no row of a table decides these. */
export const SHAPES = {
  unreadable: finding('unreadable', 'unreadable', 'critical', 'is not a line that a shell would read in one way only'),
  tooLong: finding('too-long', 'unreadable', 'critical', `is longer than ${MOST_LINE} characters`),
  tooDeep: finding('too-deep', 'unreadable', 'critical', 'nests code deeper than is read'),
  control: finding('control-characters', 'unreadable', 'critical', 'holds control characters, which people do not see'),
  tooManyWords: finding('too-many-words', 'unreadable', 'critical', 'comes to more words than are read'),
  forkBomb: finding('fork-bomb', 'destruction', 'critical', 'is a function that starts itself again and again'),
  survey: finding('survey', 'discovery', 'red', 'asks several programs for facts about the machine at once'),
  notLiteral: finding('computed-command', 'hidden-command', 'red', 'runs what a variable or another command says'),
  unlisted: finding('unlisted', 'unlisted', 'critical', 'is not on the list of allowed commands'),
  tooMany: finding('too-many', 'unreadable', 'critical', 'holds more commands than are read'),
  tooWrapped: finding('too-wrapped', 'unreadable', 'critical', 'has more programs around a program than are looked through'),
  escapedArgument: finding('escaped-argument', 'obfuscation', 'critical', 'spells plain letters with escapes'),
  interactive: finding('open-shell', 'hidden-command', 'red', 'opens a shell whose commands nobody has seen'),
  decodedInput: finding('decode-and-run', 'decode-and-run', 'critical', 'runs what was decoded'),
  fetchedInput: finding('fetch-and-run', 'fetch-and-run', 'red', 'runs what was fetched'),
  unseenInput: finding('unseen-input', 'hidden-command', 'red', 'runs what another command prints'),
  outside: finding('outside', 'outside', 'red', 'names a place that no call has'),
  outsideProgram: finding('foreign-program', 'outside', 'red', 'runs a program from a place where anybody may put one'),
  wide: finding('removes-wide', 'destruction', 'critical', 'removes or changes all that lies below a wide place'),
  wideUnknown: finding('removes-unknown', 'destruction', 'red', 'removes all below a place that only running the line would tell'),
  elsewhere: finding('runs-elsewhere', 'exfiltration', 'red', 'runs a command on another machine'),
  hiddenEval: finding('computed-eval', 'hidden-command', 'red', 'has the shell read text that only running the line would tell'),
  inline: finding('inline-code', 'inline-code', 'yellow', 'runs code that stands in the line'),
  escapeWord: finding('escape-word', 'shell-escape', 'red', 'is how many programs are told to start a shell'),
} as const satisfies Readonly<Record<string, Finding>>;

/** A command word that hides what it says (R28). */
export const DISGUISES: Readonly<Record<Disguise, Finding>> = {
  escapes: finding('escaped-command', 'obfuscation', 'critical', 'spells a command with escapes'),
  backslashes: finding('backslashed-command', 'obfuscation', 'critical', 'spells a command with backslashes'),
  quotes: finding('quoted-command', 'obfuscation', 'critical', 'spells a command with quotes that nothing needs'),
  brace: finding('braced-command', 'obfuscation', 'critical', 'spells a command with braces'),
  glob: finding('globbed-command', 'obfuscation', 'critical', 'spells a command with a pattern'),
  ifs: finding('split-command', 'obfuscation', 'critical', 'spells a command with the separator of fields'),
  operators: finding('cut-command', 'obfuscation', 'critical', 'cuts a command out of a variable'),
  fetched: finding('fetched-command', 'fetch-and-run', 'red', 'runs what was fetched'),
  decoded: finding('decoded-command', 'decode-and-run', 'critical', 'decodes a command and runs it'),
  reassigned: finding('changing-command', 'obfuscation', 'critical', 'runs a variable that has had more than one value'),
};
