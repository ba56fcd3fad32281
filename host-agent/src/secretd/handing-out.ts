// SPDX-License-Identifier: Apache-2.0
import type { Socket } from 'node:net';
import type { SecretAnswer } from '../egress/egress-wire.ts';
import type { UseDecision } from '../secret/access.ts';
import { wipeable } from '../secret/values.ts';
import type { SourceDesk } from './source-desk.ts';
import type { Vault } from './vault.ts';

export type Refusal = Extract<SecretAnswer, { ok: false }>;
export type Handed = { readonly ok: true; readonly value: Buffer } | Refusal;

export function locked(id: number, vault: Vault): Refusal {
  const command = vault.state() === 'absent' ? 'holdfast secret init' : vault.state() === 'damaged' ? 'holdfast secret status' : 'holdfast secret unlock';
  return refused(id, 'locked', `the secrets of this machine are ${vault.state() === 'open' ? 'locked' : vault.state()}; an operator can help: ${command}`);
}

export function refused(id: number, rule: Refusal['rule'], why: string): Refusal {
  return { id, ok: false, rule, why };
}

/**
 * The value, by what holds now: a use is judged, then recorded, and what held before the ledger's disk was waited for may hold no more. So
 * with the answer of a source.
 */
export async function valueNow(id: number, vault: Vault, sources: Pick<SourceDesk, 'valueFor'>, decide: () => UseDecision): Promise<Handed> {
  const held = judgedNow(id, vault, decide);
  if (!held.ok) return held;
  const { secret } = held;
  if (secret.from === undefined) {
    const kept = vault.valueOf(secret.name);
    return kept === null ? locked(id, vault) : { ok: true, value: kept };
  }
  const read = await sources.valueFor(secret);
  const yet = judgedNow(id, vault, decide);
  if (!read.ok) return yet.ok ? refused(id, 'source', read.error) : yet;
  if (yet.ok) return read;
  read.value.fill(0);
  return yet;
}

function judgedNow(id: number, vault: Vault, decide: () => UseDecision): Extract<UseDecision, { ok: true }> | Refusal {
  if (vault.state() !== 'open') return locked(id, vault);
  const decided = decide();
  return decided.ok ? decided : refused(id, decided.rule, decided.why);
}

/** The line as bytes, wiped once the kernel has it: JSON.stringify would leave the value in a string, which stays where it is until it is overwritten by chance. */
export function writeValue(socket: Socket, id: number, value: Buffer): void {
  const line = wipeable(64 + 2 * value.length);
  let at = line.write(`{"id":${id},"ok":true,"value":"`, 'latin1');
  for (const byte of value) {
    // Of printable ASCII, which values are made of, JSON escapes these two alone.
    if (byte === 0x22 || byte === 0x5c) line[at++] = 0x5c;
    line[at++] = byte;
  }
  at += line.write('"}\n', at, 'latin1');
  value.fill(0);
  if (socket.destroyed || !socket.writable) return void line.fill(0);
  socket.write(line.subarray(0, at), () => line.fill(0));
}
