// SPDX-License-Identifier: Apache-2.0
import { parseEgressMessage } from '../door/egress-door.ts';
import { openTokenBucket, type TokenBucket } from '../door/token-bucket.ts';
import type { KeptAccounts } from '../effects/kept-accounts.ts';
import type { NetAnswer, NetAsk, NetEnd, NetRefusal, SourceWay } from '../egress/egress-wire.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId, GrantId, SessionId } from '../identity/ids.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { EntryDraft, JsonValue } from '../ledger/entry.ts';
import { judgeNet, refusedForEnded, refusedWay, type NetAllowed, type NetRefused } from '../tool-call/judge-net.ts';
import { judgeSpending, type Spending } from '../tool-call/judge-spending.ts';
import { lost, netIntent, netOutcome, sourceWay, type Begun, type Ended } from '../tool-call/net-entries.ts';
import type { Appended, PermitStamp, ToolCallPorts } from '../tool-call/ports.ts';
import { recordedNetPermit } from '../tool-call/recorded-permit.ts';
import { NOTHING, settle, type Amounts } from '../usage/account.ts';
import type { PriceTable } from '../usage/price.ts';
import { chargeFor, type Charge } from '../usage/spending.ts';
import { openNetRefusals } from './net-refusals.ts';

export type WaysOutPorts = Pick<ToolCallPorts, 'ledger' | 'grants' | 'clock' | 'confined' | 'onFault'> & {
  /** Null for who is not declared, or not served. */
  readonly authorityOf: (agent: AgentName) => AgentAuthority | null;
  readonly accounts: KeptAccounts;
  readonly prices: () => PriceTable;
  readonly note: (draft: EntryDraft) => void;
  readonly newCallId: () => CallId;
};

/** One connection of holdfast-egress. */
export type EgressLine = { readonly said: (message: JsonValue) => void; readonly closed: () => void };

/** Who is out there now, by which authority; told to come back when it ends. */
export type WaysOut = {
  readonly connect: (send: (message: JsonValue) => void) => EgressLine;
  /** What is granted has changed. */
  readonly look: () => void;
  readonly cutAgent: (agent: AgentName, why: string) => void;
  readonly tick: () => void;
  readonly openOf: (agent: AgentName) => number;
  /** Everybody is called back, and their ends are waited for a moment. */
  readonly close: () => Promise<void>;
};

/** An agent's requests, all connections together: a program that installs packages asks for a few dozen at a time. */
const ASKS = { perSecond: 50, burst: 200 };
/** Of holdfast-secretd. */
const SOURCES = { perSecond: 10, burst: 40 };
const MOST_OPEN = 128;
/** holdfast-egress ends by itself what is past its time. One that does not is told, and then not waited for. */
const TELL_MS = 5_000;
const GIVE_UP_MS = 30_000;
const LAST_ENDS_MS = 2_000;
const NO_SESSION = '' as SessionId;

type Out = {
  readonly call: CallId;
  readonly agent: AgentName;
  readonly ask: NetAsk;
  readonly grants: readonly GrantId[];
  readonly amounts: Amounts;
  readonly notAfter: number;
  readonly begun: number;
  readonly send: (message: JsonValue) => void;
  /** Sequence of the intent; null until it is recorded, and nobody is out yet. */
  seq: number | null;
  cut: string | null;
};

export function openWaysOut(ports: WaysOutPorts): WaysOut {
  const { ledger, grants, clock, accounts } = ports;
  const outs = new Map<CallId, Out>();
  const buckets = new Map<AgentName, TokenBucket>();
  const refusals = openNetRefusals(ports.note);
  const sourceWays = openTokenBucket(SOURCES, clock.now());
  let closed = false;

  async function answer(ask: NetAsk, send: Out['send']): Promise<void> {
    const say = (said: NetAnswer): void => send(said as unknown as JsonValue);
    const no = (refusal: NetRefusal): void => say({ id: ask.id, ok: false, refusal });
    const over = flood(ask.agent);
    if (over !== null) {
      refusals.addOver(ask.agent, over.rule, clock.now());
      return no(over);
    }
    const begun = begin(ask, send);
    if ('refusal' in begun) {
      refusals.add(ask.agent, ask, begun, clock.now());
      return no(begun.refusal);
    }
    const { out, agent, judged, limits } = begun;
    const [kept, appended] = await Promise.all([
      accounts.kept(agent.name),
      record(netIntent(out.call, agent, ask, judged, out.amounts), { digest: judged.permitDigest, agent: agent.name, notAfter: out.notAfter }),
    ]);
    const back = (rule: string, message: string): void => {
      // Nobody was let out, so nothing is spent.
      end(out, NOTHING);
      if (appended.ok) ports.note(netOutcome({ ...ofOut(out), seq: appended.value.seq }, { how: 'failed', status: null, bytesUp: 0, bytesDown: 0, address: null, usage: null, why: rule }, NO_CHARGE, clock.now() - out.begun));
      return no({ rule, message, ask: null, retryAfterMs: 2_000 });
    };
    if (!appended.ok) return back('ledger.unavailable', 'Nothing can be recorded now, and nothing goes out unrecorded. Try again; if it stays so, tell an operator.');
    if (!kept.ok) return back('usage.unkept', 'What this would spend cannot be written down now. Try again; if it stays so, tell an operator.');
    if (out.cut !== null) return back('grant.ended', `${sentence(out.cut)}. Ask for it again.`);
    if (clock.now() >= out.notAfter) return back('limit.time', 'Its time was over before it began.');
    const { permit, receipt } = recordedNetPermit(judged.permit, judged.permitDigest, appended.value);
    // In the turn in which it is said: word of its end must not come before it.
    out.seq = appended.value.seq;
    say({ id: ask.id, ok: true, permit, receipt, limits });
  }

  function flood(agent: AgentName): NetRefusal | null {
    const bucket = buckets.get(agent) ?? openTokenBucket(ASKS, clock.now());
    buckets.set(agent, bucket);
    const over = (rule: string, message: string): NetRefusal => ({ rule, message, ask: null, retryAfterMs: 1_000 });
    if (!bucket.take(clock.now())) return over('limit.rate', `More than ${ASKS.perSecond} requests a second. Send fewer at a time.`);
    return openOf(agent) < MOST_OPEN ? null : over('limit.open', `${MOST_OPEN} of your connections are open already. Close some, or wait for their ends.`);
  }

  /** In one turn, so that no other request comes between and spends the same (A25). */
  function begin(ask: NetAsk, send: Out['send']): NetRefused | Begin {
    try {
      const agent = ports.authorityOf(ask.agent);
      if (closed) return refusedWay([], 'stopping', 'Holdfast is stopping; try again in a moment.', 2_000);
      if (agent === null) return refusedWay([], 'agent.unknown', `Agent ${ask.agent} is not declared, or not served; tell an operator.`);
      const confined = ports.confined(agent.name);
      if (!confined.ok) return refusedWay([], 'confinement', `${sentence(confined.error)}. Nothing is done for an agent that the kernel does not confine; tell an operator.`);
      const now = clock.now();
      const call = ports.newCallId();
      const judged = judgeNet({ ask, call, agent, grants: grants.heldBy(agent.name, NO_SESSION, now), now });
      if (judged.verdict === 'deny') return judged;
      const account = accounts.read(agent.name);
      if (!account.ok) return refusedWay(judged.needs, 'usage.unreadable', `${sentence(account.error)}.`);
      const spending = judgeSpending(ask, agent, call, account.value.account, ports.prices(), account.value.now);
      if (!spending.ok) return { verdict: 'deny', needs: judged.needs, missing: [], refusal: spending.refusal };
      // A use is spent by an allowed request even when it then cannot be recorded: giving it back could give it twice.
      const used = judged.decision.grantsUsed;
      const spent = used.length === 0 ? null : grants.spend(agent.name, used, now);
      if (spent?.ok === false) return refusedForEnded(judged, spent.error);
      accounts.replace(agent.name, spending.account);
      const { permit } = judged;
      const out: Out = { call, agent: agent.name, ask, grants: used.map(({ id }) => id), amounts: spending.amounts, notAfter: permit.notAfter, begun: now, send, seq: null, cut: null };
      outs.set(call, out);
      return { out, agent, judged, limits: spending.limits };
    } catch (fault) {
      ports.onFault(fault);
      return refusedWay([], 'fault.judging', 'The request could not be judged because of a fault in Holdfast; tell an operator.');
    }
  }

  function ended(told: NetEnd, send: Out['send']): void {
    const out = outs.get(told.call);
    // Told twice, after it was given up, or by a connection that it does not belong to.
    if (out === undefined || out.send !== send || out.seq === null) return ports.onFault(new Error(`holdfast-egress told the end of ${told.call}, which is not open`));
    const { tell: _, call: __, ...how } = told;
    finish(out, how, chargeFor(out.ask.model, out.amounts, told, ports.prices()));
  }

  function lose(out: Out, why: string): void {
    // Not answered yet: who waits for the ledger sees it then.
    if (out.seq === null) out.cut ??= why;
    else finish(out, lost(why), { amounts: out.amounts, basis: out.ask.model === null ? 'no model' : 'ceiling', priced: true });
  }

  function finish(out: Out, how: Ended, charge: Charge): void {
    end(out, charge.amounts);
    ports.note(netOutcome(ofOut(out), how, charge, clock.now() - out.begun));
  }

  function end(out: Out, amounts: Amounts): void {
    outs.delete(out.call);
    const account = accounts.read(out.agent);
    if (account.ok) accounts.replace(out.agent, settle(account.value.account, out.call, amounts, account.value.now));
  }

  function cut(out: Out, why: string): void {
    if (out.cut !== null) return;
    out.cut = why;
    if (out.seq !== null) out.send({ cut: out.call, why });
  }

  function openOf(agent: AgentName): number {
    return [...outs.values()].filter((out) => out.agent === agent).length;
  }

  async function record(draft: EntryDraft, stamp: PermitStamp | null): Promise<Result<Appended>> {
    try {
      return await ledger.append(draft, stamp);
    } catch (fault) {
      ports.onFault(fault);
      return refuse('the ledger did not answer');
    }
  }

  /** No agent's way, and nothing of it is judged here: but what is not on record does not happen, and who asks for it may not be the one to record it. */
  async function noted({ id, ...way }: SourceWay, send: Out['send']): Promise<void> {
    const no = (rule: string, message: string): void => send({ id, ok: false, refusal: { rule, message, ask: null, retryAfterMs: null } });
    if (closed) return no('stopping', 'Holdfast is stopping.');
    if (!sourceWays.take(clock.now())) return no('limit.rate', `More than ${SOURCES.perSecond} ways to sources of secrets a second.`);
    const recorded = await record(sourceWay(way), null);
    if (recorded.ok) send({ id, ok: true });
    else no('ledger.unavailable', 'Nothing can be recorded now, and nothing goes out unrecorded.');
  }

  return {
    connect: (send) => ({
      said: (message) => {
        const read = parseEgressMessage(message);
        switch (read.say) {
          case 'ask':
            return void answer(read.ask, send).catch((fault: unknown) => {
              ports.onFault(fault);
              send({ id: read.ask.id, ok: false, refusal: { rule: 'fault', message: 'A fault in Holdfast stopped it; tell an operator.', ask: null, retryAfterMs: null } });
            });
          case 'refused': {
            const { refused } = read;
            // Whoever is not declared has no door there: of names that anybody could make up nothing is kept.
            if (ports.authorityOf(refused.agent) === null) return ports.onFault(new Error(`holdfast-egress told of ${refused.agent}, which is not served`));
            return refusals.addTurnedAway(refused, clock.now());
          }
          case 'source':
            return void noted(read.way, send);
          case 'end':
            return ended(read.end, send);
          case 'bad':
            ports.onFault(new Error(`holdfast-egress said what cannot be read: ${read.why}`));
            if (read.id !== null) send({ id: read.id, ok: false, refusal: { rule: 'malformed', message: `The request cannot be judged: ${read.why}.`, ask: null, retryAfterMs: null } });
        }
      },
      closed: () => {
        for (const out of [...outs.values()].filter((one) => one.send === send)) lose(out, 'holdfast-egress went away');
      },
    }),
    look: () => {
      for (const out of outs.values()) {
        const revoked = out.grants.find((id) => grants.isRevoked(id));
        if (revoked !== undefined) cut(out, `the grant ${revoked} that it went by was revoked`);
        else if (clock.now() >= out.notAfter) cut(out, 'its time is over');
      }
    },
    cutAgent: (agent, why) => {
      for (const out of outs.values()) if (out.agent === agent) cut(out, why);
    },
    tick: () => {
      const now = clock.now();
      refusals.tick(now);
      for (const out of [...outs.values()]) {
        if (now >= out.notAfter + GIVE_UP_MS) lose(out, 'holdfast-egress did not tell its end');
        else if (now >= out.notAfter + TELL_MS) cut(out, 'its time is over');
      }
    },
    openOf,
    close: async () => {
      closed = true;
      for (const out of outs.values()) cut(out, 'holdfastd is stopping');
      const until = clock.now() + LAST_ENDS_MS;
      while (outs.size > 0 && clock.now() < until) await clock.sleep(20);
      for (const out of [...outs.values()]) lose(out, 'holdfastd stopped before its end was told');
      refusals.flush();
    },
  };
}

type Begin = { readonly out: Out; readonly agent: AgentAuthority; readonly judged: NetAllowed; readonly limits: Extract<Spending, { readonly ok: true }>['limits'] };

const NO_CHARGE: Charge = { amounts: NOTHING, basis: 'nothing', priced: true };

function ofOut({ call, agent, seq, ask }: Out): Begun {
  return { call, agent, seq, host: ask.host, port: ask.port };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
