// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import type { JsonValue } from '../ledger/entry.ts';
import type { SecretReply, SecretRequest } from '../secret/operator-wire.ts';
import { readJsonLines } from './json-lines.ts';
import { unreachable } from './operator-client.ts';

/** An answer, or the reason why there was none. */
export type SecretAsked<T> = SecretReply<T> | { readonly ok: null; readonly error: string };

/** Half a minute is given to the disk, and deriving a key takes a second on a slow machine. */
const ANSWER_MS = 90_000;
const MOST_BYTES = 4 * 1024 * 1024;

/** The secret follows the line as bytes; it is the caller's to wipe. */
export function askSecretd<T>(path: string, request: SecretRequest, secret: Uint8Array = new Uint8Array()): Promise<SecretAsked<T>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const timer = setTimeout(() => finish({ ok: null, error: `holdfast-secretd did not answer within ${ANSWER_MS / 1_000} s` }), ANSWER_MS);
    const finish = (answer: SecretAsked<T>): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', (fault: NodeJS.ErrnoException) => finish({ ok: null, error: unreachable(fault, path) }));
    socket.on('close', () => finish({ ok: null, error: 'holdfast-secretd closed the connection without an answer; its journal says why' }));
    readJsonLines(socket, {
      maxBytes: MOST_BYTES,
      // The shape is holdfast-secretd's word, over a socket that only root and holdfast-secretd can make.
      onValue: (value: JsonValue) => finish(value as unknown as SecretReply<T>),
      onViolation: (reason) => finish({ ok: null, error: `the answer of holdfast-secretd cannot be read: ${reason}` }),
    });
    socket.write(`${JSON.stringify({ request, secretBytes: secret.length })}\n`);
    if (secret.length > 0) socket.write(secret);
  });
}
