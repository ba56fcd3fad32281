// SPDX-License-Identifier: Apache-2.0
import type { NetAsk, NetEnd, NetRefusal, NetTurnedAway, SourceWay } from '../egress/egress-wire.ts';
import type { CheckedPermit, NetFacts } from '../egress/check-net-permit.ts';
import { refusal } from '../egress/net-refusal.ts';
import { readAnswer, readCut, type Allowed } from '../egress/read-answer.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { atBootMillis, bootMillis } from './clock.ts';
import { lineAsker } from './line-asker.ts';
import type { Log } from './log.ts';
import { openTurnedAway, type TurnedAway } from './turned-away.ts';
import type { UsedReceipts } from './used-receipts.ts';

/** How a way was stopped before what went over it had ended. */
export type Stopped = { readonly how: 'cut' | 'deadline' | 'quota'; readonly why: string };
export type WayEnd = Partial<Pick<NetEnd, 'status' | 'address' | 'usage' | 'why'>>;

/** One allowed way out, from its permit to its end. */
export type OpenWay = CheckedPermit & {
  /** Counts what goes out, or comes in; false when it is more than was allowed: then it is stopped already. */
  readonly up: (bytes: number) => boolean;
  readonly down: (bytes: number) => boolean;
  readonly stopped: () => Stopped | null;
  /** Told once, at once if it is so already. Whoever holds sockets ends them. */
  readonly onStop: (told: (how: Stopped) => void) => void;
  /** The first word holds; how it was stopped goes before any other. */
  readonly end: (how: NetEnd['how'], more?: WayEnd) => void;
};

export type Ways = {
  readonly open: (asked: Omit<NetAsk, 'id'>) => Promise<{ readonly ok: true; readonly way: OpenWay } | { readonly ok: false; readonly refusal: NetRefusal }>;
  /** What holdfastd has judged already, for `net.fetch`: it records the end itself. */
  readonly adopt: (checked: CheckedPermit) => OpenWay | null;
  /** Refused here, and nobody was asked: the ledger has a word of it too. */
  readonly turnedAway: TurnedAway['add'];
  /** Records a way to a source of values; why it cannot be, or null. */
  readonly note: (way: Omit<SourceWay, 'id' | 'ask'>) => Promise<string | null>;
  readonly count: () => number;
  readonly close: () => void;
};

export type WaysPorts = {
  readonly socket: string;
  readonly facts: () => NetFacts;
  readonly used: UsedReceipts;
  readonly log: Log;
};

const TICK_MS = 5_000;

export function openWays({ socket, facts, used, log }: WaysPorts): Ways {
  const open = new Map<string, (how: Stopped) => void>();
  const door = lineAsker(socket, {
    onTold: (value) => {
      const cut = readCut(value);
      if (cut.ok) open.get(cut.value.cut)?.({ how: 'cut', why: cut.value.why });
    },
    onLate: (answer) => decline(answer, 'the answer came too late'),
    // Nobody is left who could end what was allowed: so it ends. holdfastd finds intents without an outcome when it is back.
    onLost: () => {
      for (const stop of [...open.values()]) stop({ how: 'cut', why: 'holdfastd is gone' });
    },
  });

  const away = openTurnedAway({ tell: (refused: NetTurnedAway) => door.tellAnyhow(refused), now: bootMillis, log });
  const ticking = setInterval(away.tick, TICK_MS).unref();

  /** Allowed, and never used: holdfastd need not wait for its time to be over. */
  function decline(answer: JsonObject, why: string): void {
    const call = isObject(answer['permit']) ? answer['permit']['call'] : null;
    if (answer['ok'] !== true || typeof call !== 'string') return;
    door.tell({ tell: 'ended', call, how: 'failed', status: null, bytesUp: 0, bytesDown: 0, address: null, usage: null, why });
  }

  function begin(allowed: Allowed, tell: (end: NetEnd) => void): OpenWay | null {
    const { permit, receipt, limits } = allowed;
    // One receipt, one way (E06); written down before a packet leaves.
    if (open.has(permit.call) || !used.use(receipt.seq, receipt.notAfter)) return null;
    let bytesUp = 0;
    let bytesDown = 0;
    let stopped: Stopped | null = null;
    let ended = false;
    const told: ((how: Stopped) => void)[] = [];
    const disarm = atBootMillis(permit.notAfter, () => stop({ how: 'deadline', why: 'the time this was permitted for is over' }));
    const stop = (how: Stopped): void => {
      if (stopped !== null || ended) return;
      stopped = how;
      for (const tellStop of told.splice(0)) tellStop(how);
    };
    open.set(permit.call, stop);
    return {
      permit,
      receipt,
      up: (bytes) => {
        bytesUp += bytes;
        if (bytesUp > limits.bytesUp) stop({ how: 'quota', why: `more than ${limits.bytesUp} bytes were sent` });
        return stopped === null;
      },
      down: (bytes) => {
        bytesDown += bytes;
        if (bytesDown > limits.bytesDown) stop({ how: 'quota', why: `more than ${limits.bytesDown} bytes came` });
        return stopped === null;
      },
      stopped: () => stopped,
      onStop: (tellStop) => {
        if (stopped === null) told.push(tellStop);
        else tellStop(stopped);
      },
      end: (how, more = {}) => {
        if (ended) return;
        ended = true;
        disarm();
        open.delete(permit.call);
        const { status = null, address = null, usage = null, why = null } = more;
        tell({ tell: 'ended', call: permit.call, how: stopped?.how ?? how, status, bytesUp, bytesDown, address, usage, why: stopped?.why ?? why });
      },
    };
  }

  return {
    open: async (asked) => {
      const answer = await door.ask(asked as unknown as JsonObject);
      if (answer === null) {
        away.add(asked.agent, AWAY, asked);
        return { ok: false, refusal: AWAY };
      }
      const read = readAnswer(answer, asked, facts());
      if (!read.ok) {
        decline(answer, 'the permit was not usable');
        return read;
      }
      const way = begin(read.value, (end) => void door.tell(end as unknown as { readonly [key: string]: JsonValue }));
      if (way !== null) return { ok: true, way };
      decline(answer, 'the receipt was used before');
      return { ok: false, refusal: refusal('gate_unavailable', 'nothing may go out: the judge gave a receipt that was used before') };
    },
    adopt: (checked) => begin({ ...checked, limits: { bytesUp: Number.MAX_SAFE_INTEGER, bytesDown: Number.MAX_SAFE_INTEGER } }, () => {}),
    turnedAway: away.add,
    note: async (way) => {
      const answer = await door.ask({ ask: 'source', ...way });
      if (answer?.['ok'] === true) return null;
      const told = answer === null ? null : answer['refusal'];
      return isObject(told ?? null) && typeof (told as JsonObject)['message'] === 'string' ? String((told as JsonObject)['message']).slice(0, 300) : AWAY.message;
    },
    count: () => open.size,
    close: () => {
      for (const stop of [...open.values()]) stop({ how: 'cut', why: 'holdfast-egress is stopping' });
      clearInterval(ticking);
      away.flush();
      door.close();
    },
  };
}

const AWAY = refusal('gate_unavailable', 'nothing may go out now: holdfastd, which judges and records every way out, does not answer; try again, and tell an operator if it stays so', null);
