// SPDX-License-Identifier: Apache-2.0
import { assessLine } from '../shell-risk/assess-line.ts';
import { SANDBOX_HOLDS, worthAsking } from '../shell-risk/sandbox-holds.ts';
import type { Reason, Risk, RiskClass, Verdict } from '../shell-risk/verdict.ts';
import type { Given } from './command.ts';
import { escapeText } from './escape.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { readGivenText } from './given-text.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { styled, type Style } from './screen.ts';

const SHOWN: Readonly<Record<Risk, { readonly style: Style; readonly says: string }>> = {
  green: { style: 'green', says: 'would run' },
  yellow: { style: 'yellow', says: 'would run and be recorded as such' },
  red: { style: 'red', says: 'a person would be asked' },
  critical: { style: 'red', says: 'would be refused' },
};
/** Of one row of the line around what is marked. */
const WIDEST = 100;

/** Judged here, with no question to the machine: whoever wants to know needs no right to anything. */
export async function explainCommand(io: Io, given: Given): Promise<ExitCode> {
  const operand = given.operands[0] ?? '';
  const read = operand === '-' ? await readGivenText(io, operand, 'standard input') : null;
  if (read !== null && !read.ok) return usage(io, read.error);
  const line = read === null ? operand : read.value.replace(/\r?\n$/, '');
  if (line.trim() === '') return usage(io, 'LINE is empty; see: holdfast explain-command --help');
  const allow = given.options.get('allow');
  const verdict = assessLine(line, allow === undefined ? {} : { allowed: new Set(allow.split(',').map((name) => name.trim())) });
  if (given.options.has('json')) io.screen.json({ ...verdict, ask: worthAsking(verdict), sandbox: holdsOf(verdict) });
  else show(io, line, verdict);
  return verdict.risk === 'green' || verdict.risk === 'yellow' ? EXIT.ok : EXIT.refused;
}

function holdsOf(verdict: Verdict): readonly { readonly class: RiskClass; readonly held: string; readonly says: string }[] {
  return [...new Set(verdict.reasons.map((reason) => reason.class))].map((name) => ({ class: name, held: SANDBOX_HOLDS[name].by, says: SANDBOX_HOLDS[name].says }));
}

function show(io: Io, line: string, verdict: Verdict): void {
  const { style } = SHOWN[verdict.risk];
  const says = verdict.risk === 'red' && !worthAsking(verdict) ? 'for a person to decide, but nobody need be asked: it cannot succeed in a call' : SHOWN[verdict.risk].says;
  io.screen.line(styled(verdict.risk.toUpperCase(), style), verdict.class === 'none' ? `: ${says}; nothing in it is a risk by itself` : ` (${verdict.class}): ${says}`);
  for (const reason of verdict.reasons) {
    const { text, mark } = excerpt(line, reason);
    io.screen.command('  ', styled(text, 'dim'));
    io.screen.command('  ', styled(mark, SHOWN[reason.risk].style));
    io.screen.line('    ', styled(reason.risk, SHOWN[reason.risk].style), `: ${reason.why} (${reason.rule})`);
  }
  const worst = verdict.class === 'none' ? null : SANDBOX_HOLDS[verdict.class];
  if (worst !== null) {
    const much = { wholly: 'would stop all of it', partly: 'would stop a part of it', no: 'would not stop it' }[worst.by];
    io.screen.line(`In a call the sandbox ${much}: ${worst.says}.`);
  }
}

/** The row of the line that holds what is meant, and marks below it, as wide as the text is when it is shown. */
function excerpt(line: string, { span }: Reason): { readonly text: string; readonly mark: string } {
  const start = line.lastIndexOf('\n', span.from - 1) + 1;
  const end = line.indexOf('\n', span.from);
  const stop = end === -1 ? line.length : end;
  const from = Math.max(start, Math.min(span.from - WIDEST / 4, stop - WIDEST));
  const to = Math.min(stop, from + WIDEST);
  const before = escapeText(line.slice(from, span.from)).length;
  const marked = escapeText(line.slice(span.from, Math.max(span.from + 1, Math.min(span.to, to)))).length;
  return { text: line.slice(from, to), mark: ' '.repeat(before) + '^'.repeat(Math.max(1, marked)) };
}
