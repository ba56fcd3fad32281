// SPDX-License-Identifier: Apache-2.0
import type { VerifyAnswer } from '../effects/ledger-client.ts';
import { wholeNumber, type Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { styled } from './screen.ts';
import { unavailable, withLedger } from './with-ledger.ts';

export async function verify(io: Io, given: Given): Promise<ExitCode> {
  const range: { from?: number; to?: number } = {};
  for (const end of ['from', 'to'] as const) {
    const text = given.options.get(end);
    if (text === undefined) continue;
    const value = wholeNumber(end, text, 1, Number.MAX_SAFE_INTEGER);
    if (!value.ok) return usage(io, value.error);
    range[end] = value.value;
  }
  if ((range.from ?? 1) > (range.to ?? Number.MAX_SAFE_INTEGER)) return usage(io, '--from is after --to');
  const file = given.options.get('file');
  if (file !== undefined) {
    const { verifyFile } = await import('./verify-file.ts');
    const verdict = await verifyFile(file, range, io.stdin);
    return verdict.ok ? told(io, given, verdict.value) : usage(io, verdict.error);
  }
  const verdict = await withLedger(io, (ledger) => ledger.verify(range.from, range.to));
  return verdict.ok ? told(io, given, verdict.value) : unavailable(io, verdict.error);
}

function told(io: Io, given: Given, verdict: VerifyAnswer): ExitCode {
  if (given.options.has('json')) io.screen.json('bad' in verdict ? { ok: false, bad: verdict.bad } : verdict);
  else if ('bad' in verdict) {
    const where = verdict.bad.segment === '' ? '' : ` (segment ${verdict.bad.segment})`;
    io.screen.line(styled(`BAD at entry ${verdict.bad.seq}`, 'red'), `${where}: ${verdict.bad.reason}`);
  } else {
    const range = verdict.verified === 0 ? 'no entries' : `${verdict.verified} entries, ${verdict.first} to ${verdict.last}`;
    io.screen.line(styled('good: ', 'green'), `${range}; head ${verdict.head.seq} ${verdict.head.hash}`);
  }
  return 'bad' in verdict ? EXIT.refused : EXIT.ok;
}
