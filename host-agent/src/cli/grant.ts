// SPDX-License-Identifier: Apache-2.0
import type { GivenView, GrantView, RequestView } from '../door/operator-wire.ts';
import { ask } from './ask.ts';
import { wholeNumber, type Given } from './command.ts';
import { parseDuration, showDuration } from './duration.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { USUAL_WIDTH } from './fold.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { columns, styled, type Style } from './screen.ts';

export async function grant(io: Io, given: Given): Promise<ExitCode> {
  const [agent = '', capability = ''] = given.operands;
  const forMs = parseDuration(given.options.get('for') ?? '');
  if (!forMs.ok) return usage(io, forMs.error);
  const usesText = given.options.get('uses');
  const uses = usesText === undefined ? null : wholeNumber('uses', usesText, 1, 1_000_000);
  if (uses?.ok === false) return usage(io, uses.error);
  const reason = given.options.get('reason') ?? '';
  if (reason.length > 500) return usage(io, '--reason is longer than 500 characters');
  const answer = await ask<GivenView>(io, { op: 'grant', agent, capability, forMs: forMs.value, uses: uses?.value ?? null, reason });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) io.screen.json(answer.value);
  else {
    io.screen.line(`${answer.value.agent} holds `, styled(answer.value.capability, 'bold'), ` for ${showDuration(forMs.value)}`);
    for (const note of answer.value.notes) io.screen.line(styled('note: ', 'yellow'), note);
    io.screen.line(`grant ${answer.value.id}; end it with: holdfast revoke ${answer.value.id}`);
  }
  return EXIT.ok;
}

export async function grants(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly GrantView[]>(io, { op: 'grants', agent: given.operands[0] ?? null });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const held of answer.value) io.screen.json(held);
    return EXIT.ok;
  }
  if (answer.value.length === 0) io.screen.line('no grant holds now');
  if (answer.value.length === 0) return EXIT.ok;
  const rows = answer.value.map((g) => (
    [g.id, g.agent, g.capability, showDuration(g.leftMs), String(g.usesLeft ?? '-'), g.grantedBy, g.reason]
  ));
  for (const line of columns([['GRANT', 'AGENT', 'CAPABILITY', 'LEFT', 'USES', 'BY', 'REASON'], ...rows])) io.screen.line(line);
  return EXIT.ok;
}

export async function revoke(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<{ readonly note: string | null }>(io, { op: 'revoke', grant: given.operands[0] ?? '' });
  if (!answer.ok) return answer.exit;
  io.screen.line(`grant ${given.operands[0] ?? ''} has ended; no call begins with it, one that runs ends at its own time, and a shell that could use it ends now`);
  if (answer.value.note !== null) io.screen.complain(styled('note: ', 'yellow'), answer.value.note);
  return EXIT.ok;
}

export async function requests(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly RequestView[]>(io, { op: 'requests' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const request of answer.value) io.screen.json(request);
    return EXIT.ok;
  }
  if (answer.value.length === 0) io.screen.line('nobody asks for anything');
  for (const request of answer.value) {
    const { agent, capability, forMs, askedAt } = request;
    io.screen.told(styled(agent, 'bold'), ` asks for ${capability} for ${showDuration(forMs)} since ${askedAt}`);
    io.screen.told(`  why: ${request.reason}`);
    showGrantLine(io, '  to give it: ', request);
    io.screen.line(`  to say no:  holdfast refuse ${request.id} --reason TEXT`);
  }
  return EXIT.ok;
}

export async function refuseOne(io: Io, given: Given): Promise<ExitCode> {
  const reason = given.options.get('reason') ?? '';
  if (reason.length > 500) return usage(io, '--reason is longer than 500 characters');
  const answer = await ask<null>(io, { op: 'refuse', request: given.operands[0] ?? '', reason });
  if (!answer.ok) return answer.exit;
  io.screen.line(`request ${given.operands[0] ?? ''} is closed; nothing was given`);
  return EXIT.ok;
}

/** Whole, so that it can be pasted, unless the agent chose words for it: with spaces, what a terminal wraps could pose as a line. */
export function showGrantLine(io: Io, label: string, request: RequestView, style: Style | null = null): void {
  const words = grantLine(request);
  const parts = [label, style === null ? words : styled(words, style)];
  if (request.capability.includes(' ') || request.capability.length > USUAL_WIDTH) io.screen.told(...parts);
  else io.screen.command(...parts);
}

/** The words that would give what was asked, quoted so that they can be pasted into any shell. */
export function grantLine(request: RequestView): string {
  const seconds = Math.max(1, Math.floor(request.forMs / 1_000));
  const wanted = seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
  const reason = quoted(`asked in ${request.id}`);
  return `holdfast grant ${quoted(request.agent)} ${quoted(request.capability)} --for ${wanted} --reason ${reason}`;
}

export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}
