// SPDX-License-Identifier: Apache-2.0
import type { Socket } from 'node:net';
import type { SecretAnswer } from '../egress/egress-wire.ts';
import { wipeable } from '../secret/values.ts';
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
