// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';
import { readClientHello } from '../egress/client-hello.ts';
import { literalAddress, parseHost, type Host } from '../egress/host.ts';
import { refuse, accept, type Result } from '../identity/result.ts';

const HELLO_MS = 10_000;
const HELLO_MAX = 20_000;
/** RFC 6066, 3: fatal unrecognized_name, in clear as all alerts before keys. */
export const WRONG_NAME_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/**
 * The first bytes of what a program sends after CONNECT, read and put back: TLS, for the name that it asked us for, and for no other behind
 * that (`encrypted`: a name that only the host could read).
 */
export function firstHello(socket: Duplex, host: Host, unread: boolean): Promise<Result<Buffer>> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const finish = (result: Result<Buffer>): void => {
      clearTimeout(late);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const hello = readClientHello(bytes);
      if (hello.is === 'more') return bytes.length > HELLO_MAX ? finish(refuse('its ClientHello is too long')) : undefined;
      if (hello.is === 'wrong') return finish(refuse(hello.why));
      if (hello.encrypted && unread) return finish(refuse('the name that it asks for is encrypted (ECH)'));
      return finish(isNamed(hello.serverName, host) ? accept(bytes) : refuse(`it asks for ${JSON.stringify(hello.serverName?.slice(0, 80) ?? null)}, not for ${host}`));
    };
    const onClose = (): void => finish(refuse('the program hung up'));
    const late = setTimeout(() => finish(refuse(`it did not begin in ${HELLO_MS / 1000} s`)), HELLO_MS);
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.resume();
  });
}

/** RFC 6066: an address is never sent as a name. */
function isNamed(serverName: string | null, host: Host): boolean {
  if (serverName === null) return literalAddress(host) !== null;
  const parsed = parseHost(serverName);
  return parsed.ok && parsed.value === host;
}
