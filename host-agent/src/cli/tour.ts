// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView, RequestView } from '../door/operator-wire.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { oneAgent } from './agent.ts';
import { ask, type Answered } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { grantLine } from './grant.ts';
import type { Io } from './io.ts';
import { newestEntries } from './log.ts';
import { runCommand } from './run-command.ts';
import { styled } from './screen.ts';
import { entryOf } from './stored-entry.ts';
import { withLedger } from './with-ledger.ts';
import { splitWords } from './words.ts';

/** A machine without hardware virtualisation takes its time. */
const PATIENCE_MS = 240_000;
const LOOK_MS = 1_000;

/** Refused, granted, done, log, verify: nothing here that an operator could not type, and every command is shown before it runs. */
export async function tour(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? 'demo';
  const agent = await oneAgent(io, name);
  if (!agent.ok) return agent.exit;

  io.screen.line(`1. ${name} works on its own. What it may not do is refused, and the refusal tells it what to ask for.`);
  const asked = await waitingRequest(io, agent.value);
  if (!asked.ok) return asked.exit;
  await shown(io, `holdfast log --agent ${name} --outcome refused --limit 5`);

  io.screen.line('2. It asked for one thing. You decide; your name is in the ledger with the grant.');
  await shown(io, 'holdfast requests');
  const granted = await shown(io, grantLine({ ...asked.value, forMs: Math.min(asked.value.forMs, 600_000) }));
  if (granted !== EXIT.ok) return granted;

  io.screen.line('3. It tries again, and now it is allowed. The grant ends by itself.');
  await untilUsed(io, name, asked.value.capability);
  await shown(io, 'holdfast grants');

  io.screen.line('4. Everything is on record: what it wanted before it ran, what came of it after.');
  await shown(io, `holdfast log --agent ${name} --limit 8`);

  io.screen.line('5. And the record can be checked, every byte of it.');
  return shown(io, 'holdfast verify');
}

async function shown(io: Io, line: string): Promise<ExitCode> {
  io.screen.line(styled(`$ ${line}`, 'bold'));
  const words = splitWords(line);
  if (!words.ok) throw new Error(words.error);
  return runCommand(io, words.value.slice(1));
}

/**
 * The agent's own wish. A program that has done its work before does it once more; of one that is connected from elsewhere only its
 * asking is waited for.
 */
async function waitingRequest(io: Io, agent: AgentView): Promise<Answered<RequestView>> {
  const before = await ownRequest(io, agent.name);
  if (!before.ok) return before;
  if (before.value !== null && (agent.state === 'active' || agent.state === 'remote')) return { ok: true, value: before.value };
  if (agent.state !== 'remote') {
    // Nobody waits for the answer to it: granted now, it would be over before the program comes so far again.
    if (before.value !== null) await shown(io, `holdfast refuse ${before.value.id} --reason 'left from an earlier run'`);
    if (agent.state === 'active') await shown(io, `holdfast agent stop ${agent.name}`);
    const started = await shown(io, `holdfast agent start ${agent.name}`);
    if (started !== EXIT.ok) return { ok: false, exit: started };
  }
  io.screen.line(styled('(waiting until it asks for something)', 'dim'));
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end && !io.stop.aborted) {
    const own = await ownRequest(io, agent.name);
    if (!own.ok) return own;
    if (own.value !== null) return { ok: true, value: own.value };
    await sleep(LOOK_MS);
  }
  io.screen.complain(styled('unavailable: ', 'red'), `${agent.name} asked for nothing; see: holdfast agent logs ${agent.name}`);
  return { ok: false, exit: EXIT.unavailable };
}

async function ownRequest(io: Io, agent: string): Promise<Answered<RequestView | null>> {
  const requests = await ask<readonly RequestView[]>(io, { op: 'requests' });
  return requests.ok ? { ok: true, value: requests.value.find((request) => request.agent === agent) ?? null } : requests;
}

/** Until an allowed call of the agent used a grant of this capability and has ended, or patience has. */
async function untilUsed(io: Io, name: string, capability: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  io.screen.line(styled('(waiting until it tries again)', 'dim'));
  while (Date.now() < end && !io.stop.aborted) {
    const used = await withLedger(io, async (ledger) => {
      const entries = (await newestEntries(ledger, { agent: name }, 100)).flatMap((read) => entryOf(read) ?? []);
      const given = entries.findLast((e) => e.kind === 'grant.given' && e.data['capability'] === capability);
      const intents = entries.filter((e) => e.kind === 'call.intent' && uses(e.data, given?.data['grant']));
      return entries.some((e) => e.kind === 'call.outcome' && intents.some((intent) => intent.seq === e.data['intent']));
    });
    if (!used.ok || used.value) return;
    await sleep(LOOK_MS);
  }
}

function uses(data: JsonObject, grant: unknown): boolean {
  return Array.isArray(data['grants']) && data['grants'].some((id) => id === grant);
}
