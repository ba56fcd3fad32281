// SPDX-License-Identifier: Apache-2.0

/**
 * What the first bytes of a TLS connection say (RFC 8446, 4.1.2). Only the names are read; nothing is kept. `more`: not all of it has come.
 */
export type ClientHello =
  | { readonly is: 'more' }
  | { readonly is: 'wrong'; readonly why: string }
  | { readonly is: 'hello'; readonly serverName: string | null; readonly alpn: readonly string[]; readonly encrypted: boolean };

/** Of the whole handshake message. Post-quantum key shares make it two kilobytes; OpenSSL takes 16 K at most by default. */
const MOST = 16_384;
/** Records that carry it: each at least one byte, but nobody honest sends that. */
const MOST_RECORDS = 16;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
/** RFC 9849, and the numbers of its drafts: the true name would be inside, unread.. */
const ENCRYPTED = [0xfe0d, 0xfe08, 0xfe09, 0xfe0a];

export function readClientHello(bytes: Uint8Array): ClientHello {
  const message: number[] = [];
  let at = 0;
  for (let records = 0; ; records += 1) {
    if (records > MOST_RECORDS) return wrong('it is in too many records');
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return wrong('it is no TLS');
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return wrong('it is no TLS');
    if (at + 5 > bytes.length) return { is: 'more' };
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (length === 0 || length > MOST) return wrong('a record has a length that TLS does not have');
    const end = Math.min(at + 5 + length, bytes.length);
    for (let n = at + 5; n < end; n += 1) message.push(bytes[n]!);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return wrong('it does not begin with a ClientHello');
    const whole = message.length < 4 ? null : 4 + ((message[1]! << 16) | (message[2]! << 8) | message[3]!);
    if (whole !== null && whole > MOST) return wrong('its ClientHello is too long');
    if (whole !== null && message.length >= whole) {
      // What follows in the same record would be read by the host and by nobody here.
      return message.length > whole ? wrong('more than a ClientHello stands in its record') : parse(Uint8Array.from(message.slice(4)));
    }
    if (end === bytes.length) return { is: 'more' };
    at = end;
  }
}

function parse(body: Uint8Array): ClientHello {
  const read = reader(body);
  read.skip(2 + 32);
  read.vector(1);
  read.vector(2);
  read.vector(1);
  const extensions = reader(read.vector(2));
  if (read.failed() || read.left() !== 0) return wrong('its ClientHello is broken, or has no extensions');
  const seen = new Set<number>();
  let serverName: string | null = null;
  let alpn: readonly string[] = [];
  let encrypted = false;
  while (extensions.left() > 0) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (extensions.failed()) return wrong('its extensions are broken');
    // RFC 8446, 4.2: never twice. A second name would be for another reader.
    if (seen.has(type)) return wrong('it has an extension twice');
    seen.add(type);
    if (ENCRYPTED.includes(type)) encrypted = true;
    if (type === SERVER_NAME) {
      const name = readServerName(data);
      if (name === null) return wrong('its server name cannot be read');
      serverName = name;
    }
    if (type === ALPN) {
      const list = readAlpn(data);
      if (list === null) return wrong('its ALPN cannot be read');
      alpn = list;
    }
  }
  return { is: 'hello', serverName, alpn, encrypted };
}

/** RFC 6066, 3: a list that in practice has one name. */
function readServerName(data: Uint8Array): string | null {
  const outer = reader(data);
  const list = reader(outer.vector(2));
  const type = list.number(1);
  const name = list.vector(2);
  if (outer.failed() || list.failed() || outer.left() !== 0 || list.left() !== 0 || type !== 0 || name.length === 0) return null;
  return ascii(name);
}

function readAlpn(data: Uint8Array): readonly string[] | null {
  const outer = reader(data);
  const list = reader(outer.vector(2));
  const names: string[] = [];
  while (list.left() > 0) names.push(ascii(list.vector(1)));
  return outer.failed() || list.failed() || outer.left() !== 0 ? null : names;
}

type Reader = { readonly number: (size: number) => number; readonly vector: (size: number) => Uint8Array; readonly skip: (bytes: number) => void; readonly left: () => number; readonly failed: () => boolean };

function reader(bytes: Uint8Array): Reader {
  let at = 0;
  let failed = false;
  const take = (count: number): Uint8Array => {
    if (failed || at + count > bytes.length) {
      failed = true;
      return new Uint8Array(0);
    }
    at += count;
    return bytes.subarray(at - count, at);
  };
  const number = (size: number): number => take(size).reduce((sum, byte) => sum * 256 + byte, 0);
  return { number, vector: (size) => take(number(size)), skip: take, left: () => (failed ? 0 : bytes.length - at), failed: () => failed };
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function wrong(why: string): ClientHello {
  return { is: 'wrong', why };
}
