// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { containedProfiles } from './config/agent-type.ts';
import { openAuditEvents, type AuditEvent } from './detection/audit-events.ts';
import { parseAuditRecord } from './detection/audit-record.ts';
import { rulesFor } from './detection/audit-rules.ts';
import { ownActOf } from './detection/own-act.ts';
import { lostActs, openOwnHands } from './detection/own-hands.ts';
import { openSerialGaps } from './detection/serial-gaps.ts';
import { auditStatus, knock, lockRules, openAuditStream } from './effects/audit-kernel.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { readDeclaredAgents, watchFile } from './effects/declared-files.ts';
import { passedDescriptor } from './effects/listen.ts';
import { logOf } from './effects/log.ts';
import { notifyAlive, notifyReady } from './effects/notify.ts';
import { pathsUnder } from './effects/paths.ts';
import { openRedactedLedger } from './effects/redacted-ledger.ts';
import { readWatchState, writeWatchState } from './effects/watch-state.ts';
import type { EntryDraft } from './ledger/entry.ts';
import { onlyRoot } from './root-option.ts';

const TURN_MS = 100;
const LOOK_MS = 1_000;
/** Order among processors is a matter of microseconds; a machine under load may take longer between two records of one event. */
const PATIENCE_MS = 5_000;
/** Buffers of one turn, so that what was read is written before more is. */
const MOST_READS = 4;
/** A restart of the ledger is shorter. While nothing can be recorded nobody contained may act: this role ends, and their units with it. */
const LEDGER_MS = 15_000;
const AT_ONCE = 256;

/** `holdfast-watch`: reads the kernel's record of what contained agents do with their own hands, and writes it into the ledger (R103). */
export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfast-watch', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfast-watch');
  const boot = bootId();
  const labels = containedProfiles(readdirSync(paths.profiles));
  const before = readWatchState(paths.watchState, boot);
  const stream = openAuditStream(passedDescriptor('audit'));
  const locked = lockRules(rulesFor(labels));
  if (!locked.ok) throw new Error(locked.error);

  // What a program was started with may hold a secret that somebody gave its agent.
  const { ledger, close: closeLedger } = openRedactedLedger(paths, dirname(paths.watchState), boot);
  const hands = openOwnHands();
  const gaps = openSerialGaps(before?.serial ?? null, PATIENCE_MS);
  const known = new Set(labels);
  let drafts: EntryDraft[] = [];
  let names = await agentNames();
  watchFile(paths.declaredAgents, () => void agentNames().then((read) => (names = read)));
  const events = openAuditEvents((event) => onEvent(event), PATIENCE_MS);
  let heard = 0;
  /** Until what was passed over at a restart is told: some of it may have been recorded before. */
  let unsure = before !== null;
  let dropped = false;
  let lost = before?.lost ?? auditStatus().lost;
  let looked = 0;
  let stopping = false;
  process.once('SIGTERM', () => (stopping = true));

  async function agentNames(): Promise<ReadonlyMap<number, string>> {
    const declared = await readDeclaredAgents(paths.declaredAgents);
    if (!declared.ok) log.warn({ why: declared.error }, 'agents are called by their uid');
    return new Map(declared.ok ? declared.value.agents.map(({ uid, name }) => [uid, name]) : []);
  }

  function onEvent(event: AuditEvent): void {
    const act = ownActOf(event, known);
    if (act !== null) drafts.push(...hands.take(names.get(act.uid) ?? `uid ${act.uid}`, act, bootMillis()));
  }

  function onRecord(type: number, line: string): void {
    const record = parseAuditRecord(type, line);
    if (record === null) return;
    const now = bootMillis();
    heard += 1;
    gaps.seen(record.serial, now);
    events.push(record, now);
  }

  function read(): void {
    for (let i = 0; i < MOST_READS; i += 1) {
      if (!stream.read(onRecord, () => (dropped = true))) return;
    }
  }

  /** What the kernel says of itself, and what was lost on the way. */
  function look(now: number): void {
    const status = auditStatus();
    if (!status.locked) throw new Error('the kernel no longer keeps its audit rules');
    // The next number shows how many are missing before it.
    if (dropped) knock();
    dropped = false;
    const count = gaps.lost(now);
    if (count > 0) drafts.push(lostActs(count, 'the kernel had them and could not hand them on', unsure));
    if (count > 0) unsure = false;
    if (status.lost !== lost) drafts.push(lostActs(Math.max(1, status.lost - lost), 'the kernel had no room to write them', false));
    lost = status.lost;
  }

  async function write(all: boolean): Promise<void> {
    const now = bootMillis();
    drafts.push(...hands.due(now, all));
    const until = now + LEDGER_MS;
    while (drafts.length > 0) {
      const batch = drafts.slice(0, AT_ONCE);
      // Not known whether written is written again: the kernel's number in it shows that it is the same.
      const done = await Promise.all(batch.map((draft) => ledger.append(draft, null).catch(() => null)));
      drafts = [...batch.filter((_, i) => done[i]?.ok !== true), ...drafts.slice(AT_ONCE)];
      if (done.every((one) => one?.ok === true)) continue;
      if (bootMillis() > until) throw new Error(`nothing can be recorded: ${done.map((one) => (one?.ok === false ? one.error : '')).join(' ').slice(0, 300)}`);
      await sleep(TURN_MS);
    }
  }

  function keep(now: number): void {
    const open = [gaps.settled(), ...[events.oldest(), hands.oldest()].map((first) => (first === null ? null : first - 1))];
    const settled = open.filter((serial) => serial !== null);
    writeWatchState(paths.watchState, { boot, at: now, serial: settled.length === 0 ? null : Math.min(...settled), lost });
    notifyAlive();
  }

  // The whole way, from the kernel to here, before anybody contained is started.
  knock();
  for (let i = 0; heard === 0; i += 1) {
    if (i * TURN_MS > PATIENCE_MS) throw new Error('the kernel writes audit records and none arrives here');
    await sleep(TURN_MS);
    read();
  }
  keep(bootMillis());
  notifyReady();
  log.info({ labels: labels.join(' '), serial: gaps.settled() }, 'ready');
  while (!stopping) {
    read();
    const now = bootMillis();
    events.tick(now);
    if (now - looked >= LOOK_MS) look(now);
    await write(false);
    if (now - looked >= LOOK_MS) {
      keep(now);
      looked = now;
    }
    await sleep(TURN_MS);
  }
  read();
  await write(true);
  keep(bootMillis());
  closeLedger();
  process.exit(0);
}
