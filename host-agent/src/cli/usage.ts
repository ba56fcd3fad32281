// SPDX-License-Identifier: Apache-2.0
import type { PricesView, UsageFigure, UsageView } from '../door/operator-wire.ts';
import { amountWords, dollars } from '../usage/over-limit.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { showDuration } from './duration.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { readGivenText } from './given-text.ts';
import { usage as misuse } from './run-command.ts';
import { columns, styled } from './screen.ts';

const WINDOW: Readonly<Record<UsageFigure['kind'], string>> = { cost: 'in 24 hours', tokens: 'in an hour', requests: 'in 24 hours', bytes: 'in 24 hours' };

export async function usage(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly UsageView[]>(io, { op: 'usage', agent: given.operands[0] ?? null });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const view of answer.value) io.screen.json(view);
    return EXIT.ok;
  }
  if (answer.value.length === 0) io.screen.line('no agent here can reach a network');
  const rows = answer.value.flatMap((view) => view.figures.map((figure) => [view.agent, ...words(figure)]));
  for (const line of columns(rows)) io.screen.line(line);
  for (const { agent, problem, ways } of answer.value) {
    if (problem !== null) io.screen.line(styled('closed: ', 'red'), problem);
    else if (ways > 0) io.screen.line(`${agent} has ${ways} ${ways === 1 ? 'request' : 'requests'} under way`);
  }
  return EXIT.ok;
}

/** For what is told of an agent beside other things: only what it can run out of, and only when it has spent some of it. */
export function usageLines(view: UsageView | null): readonly string[] {
  if (view === null) return [];
  if (view.problem !== null) return [view.problem];
  return view.figures.filter(({ limit, spent, open }) => limit !== null && spent + open > 0).map((figure) => words(figure).join(' '));
}

function words({ kind, limit, spent, open, halfFreeMs }: UsageFigure): readonly string[] {
  const of = limit === null ? `${amountWords(kind, spent)}, no limit,` : `${kind === 'cost' ? dollars(spent) : spent} of ${amountWords(kind, limit)}`;
  const held = open === 0 ? '' : `${amountWords(kind, open)} held`;
  const free = halfFreeMs === null ? '' : `half is free in ${showDuration(halfFreeMs)}`;
  return [`${of} ${WINDOW[kind]}`, [held, free].filter((part) => part !== '').join(', ')];
}

export async function usageReset(io: Io, given: Given): Promise<ExitCode> {
  const agent = given.operands[0] ?? '';
  const answer = await ask(io, { op: 'usage-reset', agent, reason: given.options.get('reason') ?? '' });
  if (!answer.ok) return answer.exit;
  io.screen.line(`${agent} begins anew, with nothing spent`);
  return EXIT.ok;
}

export async function prices(io: Io, given: Given): Promise<ExitCode> {
  const path = given.operands[0];
  return path === undefined ? showPrices(io, given) : setPrices(io, path);
}

async function showPrices(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<PricesView>(io, { op: 'prices' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    io.screen.json(answer.value);
    return EXIT.ok;
  }
  const { date, problem, models } = answer.value;
  if (problem !== null) io.screen.line(styled('no prices: ', 'red'), problem);
  const rows = models.map(({ model, ...rates }) => [model, ...[rates.input, rates.cachedInput, rates.cacheWrite, rates.output].map(dollars)]);
  for (const line of columns([['MODEL', 'INPUT', 'FROM CACHE', 'TO CACHE', 'OUTPUT'], ...rows])) io.screen.line(line);
  io.screen.line(`for a million tokens; what the image knows is of ${date}`);
  return EXIT.ok;
}

async function setPrices(io: Io, path: string): Promise<ExitCode> {
  const shown = path === '-' ? 'standard input' : path;
  const text = await readGivenText(io, path, shown);
  if (!text.ok) return misuse(io, text.error);
  const answer = await ask(io, { op: 'prices-set', file: text.value }, shown);
  if (!answer.ok) return answer.exit;
  io.screen.line('these prices hold from now on; see: holdfast usage prices');
  return EXIT.ok;
}
