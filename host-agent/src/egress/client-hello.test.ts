// SPDX-License-Identifier: Apache-2.0
import { PassThrough, Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readClientHello } from './client-hello.ts';

/** What OpenSSL says first. */
async function realHello(options: { readonly servername?: string; readonly ALPNProtocols?: string[]; readonly maxVersion?: 'TLSv1.2' }): Promise<Uint8Array> {
  const out = new PassThrough();
  const wire = new Duplex({ read: () => {}, write: (chunk, _encoding, done) => void out.write(chunk, () => done()) });
  wire.on('error', () => {});
  const socket = connect({ socket: wire, ...options });
  socket.on('error', () => {});
  const chunks: Buffer[] = [];
  for await (const chunk of out) {
    chunks.push(chunk as Buffer);
    if (readClientHello(Buffer.concat(chunks)).is !== 'more') break;
  }
  socket.destroy();
  return Buffer.concat(chunks);
}

function record(...bytes: number[]): number[] {
  return [22, 3, 1, bytes.length >> 8, bytes.length & 0xff, ...bytes];
}
const vector = (size: number, bytes: readonly number[]): number[] => [...Array.from({ length: size }, (_, n) => (bytes.length >> (8 * (size - 1 - n))) & 0xff), ...bytes];
const ext = (type: number, data: readonly number[]): number[] => [type >> 8, type & 0xff, ...vector(2, data)];
const sni = (name: string): number[] => ext(0, vector(2, [0, ...vector(2, [...Buffer.from(name)])]));
function hello(...extensions: number[][]): number[] {
  const body = [3, 3, ...Array.from({ length: 32 }, () => 7), 0, ...vector(2, [0x13, 0x01]), ...vector(1, [0]), ...vector(2, extensions.flat())];
  return [1, ...vector(3, body)];
}

describe('a ClientHello', () => {
  test('of OpenSSL is read, in one piece and in any two', async () => {
    const bytes = await realHello({ servername: 'api.example.com', ALPNProtocols: ['http/1.1'] });
    const whole = { is: 'hello', serverName: 'api.example.com', alpn: ['http/1.1'], encrypted: false };
    expect(readClientHello(bytes)).toEqual(whole);
    for (let cut = 0; cut < bytes.length; cut += 1) expect(readClientHello(bytes.subarray(0, cut))).toEqual({ is: 'more' });
    expect(readClientHello(await realHello({ maxVersion: 'TLSv1.2', servername: 'b.example' }))).toMatchObject({ serverName: 'b.example' });
    expect(readClientHello(await realHello({}))).toMatchObject({ is: 'hello', serverName: null });
  });

  test('over several records is read', () => {
    const message = hello(sni('a.example'));
    const records = [...record(...message.slice(0, 10)), ...record(...message.slice(10, 11)), ...record(...message.slice(11))];
    expect(readClientHello(Uint8Array.from(records))).toMatchObject({ is: 'hello', serverName: 'a.example' });
  });

  test('with an encrypted one inside is told', () => {
    expect(readClientHello(Uint8Array.from(record(...hello(sni('a.example'), ext(0xfe0d, [0])))))).toMatchObject({ is: 'hello', encrypted: true });
  });

  test.each<[string, number[]]>([
    ['plain HTTP', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['SSH', [...Buffer.from('SSH-2.0-x\r\n')]],
    ['SSL 2', [0x80, 0x2e, 1, 3, 1]],
    ['an alert', [21, 3, 1, 0, 2, 2, 40]],
    ['another message', record(2, 0, 0, 0)],
    ['two names', record(...hello(sni('a.example'), sni('b.example')))],
    ['two names in one', record(...hello(ext(0, vector(2, [0, ...vector(2, [97]), 0, ...vector(2, [98])]))))],
    ['an empty name', record(...hello(sni('')))],
    ['a name of another type', record(...hello(ext(0, vector(2, [1, ...vector(2, [97])]))))],
    ['no extensions', record(1, ...vector(3, [3, 3, ...Array.from({ length: 32 }, () => 7), 0, ...vector(2, [0x13, 1]), ...vector(1, [0])]))],
    ['more behind it', record(...hello(sni('a.example')), 1, 2, 3)],
    ['a length beyond all', record(1, 0xff, 0xff, 0xff)],
    ['an empty record', [22, 3, 1, 0, 0]],
    ['an extension that ends early', record(...hello([0, 0, 0, 9, 1]))],
  ])('%s is refused', (_what, bytes) => expect(readClientHello(Uint8Array.from(bytes))).toMatchObject({ is: 'wrong' }));

  test('of one byte a record is refused before it is long', () => {
    const message = hello(sni('a.example'));
    expect(readClientHello(Uint8Array.from(message.flatMap((byte) => record(byte))))).toMatchObject({ is: 'wrong' });
  });

  test('of any bytes ends in an answer', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void expect(['more', 'wrong', 'hello']).toContain(readClientHello(bytes).is)), { numRuns: 2000 });
    fc.assert(
      fc.property(fc.nat(200), fc.nat(255), (place, byte) => {
        const bytes = Uint8Array.from(record(...hello(sni('a.example'), ext(16, vector(2, vector(1, [104, 50]))))));
        bytes[place % bytes.length] = byte;
        expect(['more', 'wrong', 'hello']).toContain(readClientHello(bytes).is);
      }),
      { numRuns: 2000 },
    );
  });
});
