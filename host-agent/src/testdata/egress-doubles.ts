// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { bootMillis } from '../effects/clock.ts';
import { readJsonLines, writeJsonLine } from '../effects/json-lines.ts';
import type { LedgerClient } from '../effects/ledger-client.ts';
import type { NetAnswer, NetAsk, NetEnd, NetRefusal, NetTurnedAway, SecretAsk } from '../egress/egress-wire.ts';
import { netPermitDigest, type NetPermit } from '../egress/net-permit.ts';
import type { CallId } from '../identity/ids.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import type { Receipt } from '../ledger/receipt.ts';

// holdfastd and holdfast-secretd as holdfast-egress sees them. They judge what the test says; receipts are the real ledger's.

export type Judgement = { readonly bytesUp?: number; readonly bytesDown?: number; readonly forMs?: number; readonly spoil?: (permit: NetPermit) => NetPermit } | NetRefusal;
export type DoorDouble = {
  readonly asks: NetAsk[];
  readonly ends: NetEnd[];
  readonly turnedAway: NetTurnedAway[];
  readonly permits: NetPermit[];
  /** Ways to sources, which it says yes to while `unrecorded` is null. */
  readonly sourceWays: JsonObject[];
  unrecorded: string | null;
  judge: (ask: NetAsk) => Judgement;
  /** For the next test: all is as it was at first, and what was allowed until now and ends from now on is nobody's. */
  readonly forget: () => void;
  /** How many of those that were allowed since have not ended. */
  readonly open: () => number;
  readonly cut: (call: string, why: string) => void;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
};

let calls = 0;

export async function recordedPermit(ledger: LedgerClient, permit: NetPermit): Promise<Receipt> {
  const stamp = { digest: netPermitDigest(permit), agent: permit.agent, notAfter: permit.notAfter };
  const data = { agent: permit.agent, permit_digest: stamp.digest, not_after: permit.notAfter };
  const result = await ledger.append({ kind: 'call.intent', actor: { type: 'agent', id: permit.agent }, trace: null, span: null, data }, stamp);
  if (!result.ok || result.value.receipt === null) throw new Error(result.ok ? 'no receipt' : result.error);
  return result.value.receipt;
}

export function permitFor(ask: Pick<NetAsk, 'agent' | 'host' | 'port' | 'secrets'>, forMs = 60_000): NetPermit {
  calls += 1;
  return { v: 1, kind: 'net', call: `net-${process.pid}-${calls}` as CallId, agent: ask.agent, host: ask.host, port: ask.port, secrets: ask.secrets, notAfter: bootMillis() + forMs };
}

export function doorDouble(path: string, ledger: () => LedgerClient): DoorDouble {
  let server: Server | null = null;
  const lines = new Set<Socket>();
  let allowed = new Set<string>();
  const double: DoorDouble = {
    asks: [],
    ends: [],
    turnedAway: [],
    permits: [],
    sourceWays: [],
    unrecorded: null,
    judge: () => ({}),
    forget: () => {
      for (const list of [double.asks, double.ends, double.turnedAway, double.permits]) list.length = 0;
      double.judge = () => ({});
      allowed = new Set();
    },
    open: () => allowed.size,
    cut: (call, why) => {
      for (const line of lines) writeJsonLine(line, { cut: call, why });
    },
    start: async () => {
      server = createServer(serve);
      await listen(server, path);
    },
    stop: () => stop(server, lines),
  };

  function serve(socket: Socket): void {
    lines.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => lines.delete(socket));
    readJsonLines(socket, {
      maxBytes: 1024 * 1024,
      onViolation: () => {},
      onValue: (value) => {
        if (isObject(value) && value['ask'] === 'source') {
          double.sourceWays.push(value);
          const no = { rule: 'ledger.unavailable', message: double.unrecorded, ask: null, retryAfterMs: null };
          return void writeJsonLine(socket, double.unrecorded === null ? { id: value['id'] ?? 0, ok: true } : { id: value['id'] ?? 0, ok: false, refusal: no });
        }
        const said = value as unknown as NetAsk | NetEnd | NetTurnedAway;
        if ('tell' in said) {
          if (said.tell === 'refused') double.turnedAway.push(said);
          else if (allowed.delete(said.call)) double.ends.push(said);
          return;
        }
        double.asks.push(said);
        void answerTo(said, allowed).then((answer) => writeJsonLine(socket, answer as unknown as JsonValue));
      },
    });
  }

  async function answerTo(ask: NetAsk, now: Set<string>): Promise<NetAnswer> {
    const judged = double.judge(ask);
    if ('rule' in judged) return { id: ask.id, ok: false, refusal: judged };
    const permit = permitFor(ask, judged.forMs);
    const receipt = await recordedPermit(ledger(), permit);
    double.permits.push(permit);
    now.add(permit.call);
    return { id: ask.id, ok: true, permit: judged.spoil?.(permit) ?? permit, receipt, limits: { bytesUp: judged.bytesUp ?? 1e9, bytesDown: judged.bytesDown ?? 1e9 } };
  }

  return double;
}

export type SecretDouble = { readonly asks: SecretAsk[]; readonly values: Map<string, string>; locked: boolean; readonly start: () => Promise<void>; readonly stop: () => Promise<void> };

export function secretDouble(path: string): SecretDouble {
  let server: Server | null = null;
  const lines = new Set<Socket>();
  const double: SecretDouble = {
    asks: [],
    values: new Map(),
    locked: false,
    start: async () => {
      server = createServer((socket) => {
        lines.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => lines.delete(socket));
        readJsonLines(socket, {
          maxBytes: 1024 * 1024,
          onViolation: () => {},
          onValue: (value) => {
            const ask = value as unknown as SecretAsk;
            double.asks.push(ask);
            const found = double.values.get(ask.name);
            const locked = { id: ask.id, ok: false, rule: 'locked', why: 'the secrets of this machine are locked; an operator can help: holdfast secret unlock' };
            writeJsonLine(socket, double.locked || found === undefined ? locked : { id: ask.id, ok: true, value: found });
          },
        });
      });
      await listen(server, path);
    },
    stop: () => stop(server, lines),
  };
  return double;
}

async function listen(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
}

async function stop(server: Server | null, lines: ReadonlySet<Socket>): Promise<void> {
  for (const line of lines) line.destroy();
  await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
}
