// SPDX-License-Identifier: Apache-2.0
import { request as requestOver, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { SecretSource } from '../secret/source.ts';
import type { HttpAnswer } from '../secret/source-answer.ts';
import { wipe, wipeable } from '../secret/values.ts';
import { markFor, replaceInHead } from './header-secrets.ts';
import { openTunnel } from './source-tunnel.ts';

/** The largest entry that Vault's own storage takes is 1 MiB; a value of ours is 8 KiB of it. */
const MOST_BODY = 1024 * 1024;
const MOST_HEAD = 16 * 1024;
const BROKEN_OFF = 'it broke off its answer';

export type SourceQuestion = { readonly method: 'GET' | 'POST'; readonly path: string };
/** Wipes the token. The body of the answer is the caller's to wipe. */
export type AskSource = (source: SecretSource, question: SourceQuestion, token: Buffer, signal: AbortSignal) => Promise<Result<HttpAnswer>>;

/** One question over one connection of its own, with TLS between this process and the source. Never a second one: a redirect is an answer. */
export function sourceAsker(egressSocket: string): AskSource {
  const contexts = new Map<string, SecureContext>();
  // Once for each: it takes OpenSSL a while to read them all.
  const contextOf = ({ ca }: SecretSource): SecureContext => {
    const known = contexts.get(ca ?? '');
    if (known !== undefined) return known;
    const made = createSecureContext({ ca: [...rootCertificates, ...(ca === null ? [] : [ca])], minVersion: 'TLSv1.2' });
    contexts.set(ca ?? '', made);
    return made;
  };
  return async (source, question, token, signal) => {
    try {
      const tunnel = await openTunnel(egressSocket, source.name, signal);
      if (!tunnel.ok) return tunnel;
      const tls = await proven(tunnel.value, source, contextOf(source), signal);
      return tls.ok ? await exchange(tls.value, source, question, token, signal) : tls;
    } finally {
      wipe(token);
    }
  };
}

function proven(tunnel: Socket, { host }: SecretSource, secureContext: SecureContext, signal: AbortSignal): Promise<Result<TLSSocket>> {
  return new Promise((resolve) => {
    const tls = connectTls({ socket: tunnel, host, servername: host, secureContext, ALPNProtocols: ['http/1.1'], rejectUnauthorized: true });
    const end = (answer: Result<TLSSocket>): void => {
      signal.removeEventListener('abort', late);
      tls.off('close', closed);
      if (!answer.ok) {
        tls.destroy();
        tunnel.destroy();
      }
      resolve(answer);
    };
    const late = (): void => end(refuse('it did not prove in time who it is'));
    const closed = (): void => end(refuse('it hung up before it had proved who it is'));
    tls.on('error', (fault: NodeJS.ErrnoException) => end(refuse(`it could not prove that it is ${host} (${fault.code ?? 'TLS'}); where an authority of your own signed its certificate: holdfast secret source ca`)));
    tls.on('close', closed);
    tls.once('secureConnect', () => end(tls.alpnProtocol === false || tls.alpnProtocol === 'http/1.1' ? accept(tls) : refuse('it speaks no HTTP/1.1')));
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) late();
  });
}

function exchange(tls: TLSSocket, { host, port, namespace }: SecretSource, { method, path }: SourceQuestion, token: Buffer, signal: AbortSignal): Promise<Result<HttpAnswer>> {
  return new Promise((resolve) => {
    const body = wipeable(MOST_BODY);
    const marked = markFor(token);
    let length = 0;
    let sender: ClientRequest | null = null;
    const end = (answer: Result<HttpAnswer>): void => {
      signal.removeEventListener('abort', late);
      if (!answer.ok) wipe(body);
      wipe(token);
      sender?.destroy();
      tls.destroy();
      resolve(answer);
    };
    const late = (): void => end(refuse('it did not answer in time'));
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) return late();
    sender = requestOver({
      // No word of an agent: with one, even none, Node would connect by itself.
      createConnection: () => tls, method, path, setHost: false, maxHeaderSize: MOST_HEAD,
      headers: {
        Host: port === 443 ? host : `${host}:${port}`,
        'X-Vault-Token': marked.mark,
        // Both servers ask for it from who is no browser: a page that was tricked into asking cannot set it.
        'X-Vault-Request': 'true',
        ...(namespace === null ? {} : { 'X-Vault-Namespace': namespace }),
        Accept: 'application/json', 'Accept-Encoding': 'identity', Connection: 'close',
        ...(method === 'POST' ? { 'Content-Type': 'application/json', 'Content-Length': '2' } : {}),
      },
    });
    replaceInHead(tls, [marked]);
    sender.on('error', () => end(refuse('it did not answer as HTTP does')));
    let begun = false;
    sender.once('close', () => end(refuse(begun ? BROKEN_OFF : 'it hung up without an answer')));
    sender.once('upgrade', () => end(refuse('it did not answer as HTTP does')));
    sender.once('response', (incoming: IncomingMessage) => {
      begun = true;
      if (!/^(?:identity)?$/i.test(incoming.headers['content-encoding'] ?? '')) return end(refuse('it packed its answer, which nobody asked it to'));
      const tooLong = (): void => end(refuse(`its answer is longer than ${MOST_BODY} bytes`));
      if (Number(incoming.headers['content-length'] ?? 0) > MOST_BODY) return tooLong();
      incoming.on('data', (chunk: Buffer) => {
        const fits = length + chunk.length <= MOST_BODY;
        if (fits) length += chunk.copy(body, length);
        chunk.fill(0);
        if (!fits) tooLong();
      });
      incoming.once('end', () => end(incoming.complete ? accept({ status: incoming.statusCode ?? 0, body: body.subarray(0, length) }) : refuse(BROKEN_OFF)));
      incoming.once('error', () => end(refuse(BROKEN_OFF)));
    });
    sender.end(method === 'POST' ? '{}' : undefined);
  });
}
