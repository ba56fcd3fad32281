// SPDX-License-Identifier: Apache-2.0
import { Resolver } from 'node:dns/promises';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { NetEnd, NetRefusal } from '../egress/egress-wire.ts';
import { whyTextNotPublic } from '../egress/address.ts';
import { whyNoSourceAddress } from '../egress/source-address.ts';
import { literalAddress } from '../egress/host.ts';
import { refusal } from '../egress/net-refusal.ts';
import type { Target } from '../egress/target.ts';

// The only place from which packets leave. A name is resolved once, every address that it has is checked (R18), and one of those very
// addresses is connected to: there is no second resolving that could answer differently.

/** Why it could not be reached. An exception, for it passes through Node's HTTP client. */
export class DialFault extends Error {
  readonly refusal: NetRefusal;
  readonly how: NetEnd['how'];
  constructor(told: NetRefusal, how: NetEnd['how']) {
    super(told.message);
    this.refusal = told;
    this.how = how;
  }
}

export type Dial = {
  readonly tcp: (to: Target) => Promise<Socket>;
  readonly tls: (to: Target) => Promise<TLSSocket>;
  /** To the address of a source of secrets, as an operator declared it; no name is asked for. */
  readonly source: (address: string, port: number) => Promise<Socket>;
};

const RESOLVE_MS = 2_000;
const RESOLVE_TRIES = 2;
const HANDSHAKE_MS = 10_000;
const ADDRESSES_MAX = 4;

/** `connectMs`: how long one address may take. */
export function dialer(context: SecureContext, connectMs: () => number): Dial {
  const tcp = async (to: Target): Promise<Socket> => connectAny(await addressesOf(to), to, connectMs());
  return { tcp, tls: async (to) => secure(await tcp(to), to, context), source: async (address, port) => connectSource(address, port, connectMs()) };
}

async function connectSource(address: string, port: number, connectMs: number): Promise<Socket> {
  const why = whyNoSourceAddress(address);
  if (why !== null) throw new DialFault(refusal('internal_address', `${address} is no address that a source can have: ${why}`), 'refused');
  const socket = await connectOne(address, port, connectMs).catch((fault: NodeJS.ErrnoException) => {
    throw new DialFault(refusal('unreachable', `${address}:${port} does not answer (${fault.code ?? fault.message})`), 'unreachable');
  });
  if (socket.localAddress !== socket.remoteAddress) return socket;
  // An address of this machine's own is loopback by another name.
  socket.destroy();
  throw new DialFault(refusal('internal_address', `${address} is this machine itself`), 'refused');
}

async function addressesOf({ host }: Target): Promise<readonly string[]> {
  const literal = literalAddress(host);
  const found = literal === null ? await resolve(host) : [literal];
  for (const address of found) {
    const why = whyTextNotPublic(address);
    // One is enough: a name that leads inside at all is not asked a second time in the hope of a better answer.
    if (why !== null) throw new DialFault(refusal('internal_address', `${host} leads to an address that is not public: ${why}`), 'refused');
  }
  return found;
}

async function resolve(host: string): Promise<readonly string[]> {
  // Made anew, so that what the machine's own configuration says now holds.
  const resolver = new Resolver({ timeout: RESOLVE_MS, tries: RESOLVE_TRIES });
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length > 0) return found;
  const code = v4.status === 'rejected' ? String((v4.reason as NodeJS.ErrnoException).code) : 'ENODATA';
  throw new DialFault(refusal('name_unresolved', `the name ${host} was not resolved (${code})`), 'unreachable');
}

async function connectAny(addresses: readonly string[], { host, port }: Target, connectMs: number): Promise<Socket> {
  let last = '';
  for (const address of addresses.slice(0, ADDRESSES_MAX)) {
    try {
      return await connectOne(address, port, connectMs);
    } catch (fault) {
      last = (fault as NodeJS.ErrnoException).code ?? (fault as Error).message;
    }
  }
  throw new DialFault(refusal('unreachable', `${host}:${port} does not answer (${last})`), 'unreachable');
}

function connectOne(address: string, port: number, connectMs: number): Promise<Socket> {
  return new Promise((resolvePromise, reject) => {
    const socket = connectTcp({ host: address, port, family: isIPv6(address) ? 6 : 4, noDelay: true, keepAlive: true });
    const late = setTimeout(() => socket.destroy(new Error('no answer in time')), connectMs);
    const failed = (fault: Error): void => {
      clearTimeout(late);
      reject(fault);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      clearTimeout(late);
      socket.off('error', failed);
      // Whoever uses it listens too; between two users nobody would, and an error that nobody hears ends the process.
      socket.on('error', () => socket.destroy());
      resolvePromise(socket);
    });
  });
}

function secure(socket: Socket, { host, port }: Target, secureContext: SecureContext): Promise<TLSSocket> {
  return new Promise((resolvePromise, reject) => {
    const literal = literalAddress(host);
    const names = literal === null ? { servername: host, host } : { host: literal };
    const tls = connectTls({ socket, ...names, secureContext, ALPNProtocols: ['http/1.1'], rejectUnauthorized: true });
    const late = setTimeout(() => tls.destroy(new Error('the handshake took too long')), HANDSHAKE_MS);
    const failed = (fault: NodeJS.ErrnoException): void => {
      clearTimeout(late);
      tls.destroy();
      reject(new DialFault(refusal('upstream_tls', `${host}:${port} could not prove who it is (${fault.code ?? fault.message})`), 'failed'));
    };
    tls.once('error', failed);
    tls.once('secureConnect', () => {
      clearTimeout(late);
      tls.off('error', failed);
      tls.on('error', () => tls.destroy());
      // RFC 7301: what was not offered must not be spoken.
      if (tls.alpnProtocol !== false && tls.alpnProtocol !== 'http/1.1') return failed(new Error(`it speaks ${tls.alpnProtocol}`));
      // Not within OpenSSL's own call: what is written there is copied by Node until the handshake is behind it, and a key in a copy stays.
      setImmediate(resolvePromise, tls);
    });
  });
}
