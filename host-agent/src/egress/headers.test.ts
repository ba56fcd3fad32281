// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { keptResponseHeaders, readRequestHeaders } from './headers.ts';

const flat = (...lines: string[]): string[] => lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);

describe('headers of a request', () => {
  test('what was for us goes no further', () => {
    const read = readRequestHeaders(flat('Host: a.example', 'Connection: keep-alive, X-Own', 'X-Own: 1', 'Proxy-Authorization: Basic x', 'Proxy-Connection: keep-alive', 'Keep-Alive: 5', 'TE: trailers', 'Expect: 100-continue', 'Accept: */*', 'Content-Length: 3'));
    expect(read).toEqual({ ok: true, value: { kept: [['Accept', '*/*'], ['Content-Length', '3']], host: 'a.example', length: 3, chunked: false, upgrade: null } });
  });

  test('a websocket is asked for with both headers', () => {
    expect(readRequestHeaders(flat('Connection: Upgrade', 'Upgrade: WebSocket'))).toMatchObject({ ok: true, value: { upgrade: 'websocket', kept: [] } });
    expect(readRequestHeaders(flat('Upgrade: websocket'))).toMatchObject({ ok: true, value: { upgrade: null, kept: [] } });
  });

  test.each<[string, string[]]>([
    ['CL.TE', flat('Content-Length: 4', 'Transfer-Encoding: chunked')],
    ['two lengths', flat('Content-Length: 4', 'Content-Length: 5')],
    ['the same length twice', flat('Content-Length: 4', 'content-length: 4')],
    ['a list of lengths', flat('Content-Length: 4, 4')],
    ['a signed length', flat('Content-Length: +4')],
    ['a long number', flat('Content-Length: 99999999999999999999')],
    ['two codings', flat('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
    ['a coding before chunked', flat('Transfer-Encoding: gzip, chunked')],
    ['a disguised chunked', flat('Transfer-Encoding: xchunked')],
    ['two hosts', flat('Host: a', 'Host: b')],
    ['two authorizations', flat('Authorization: a', 'authorization: b')],
    ['NUL in a value', ['X', 'a\0b']],
    ['a line end in a value', ['X', 'a\r\nY: b']],
    ['an empty name', ['', 'a']],
    ['a space in a name', ['Content-Length ', '4']],
    ['h2c', flat('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x')],
    ['a Connection that would remove the length', flat('Connection: content-length', 'Content-Length: 4')],
    ['a Connection that would remove the key', flat('Connection: close, Authorization', 'Authorization: x')],
    ['very many', Array.from({ length: 402 }, (_, n) => (n % 2 === 0 ? `X${n}` : 'v'))],
  ])('%s is refused', (_what, raw) => expect(readRequestHeaders(raw)).toMatchObject({ ok: false }));
});

test('a response keeps nothing that sends programs elsewhere', () => {
  const kept = keptResponseHeaders(flat('Content-Type: text/plain', 'Alt-Svc: h3=":443"', 'Connection: close, X-Hop', 'X-Hop: 1', 'Transfer-Encoding: chunked', 'Location: http://169.254.169.254/', 'Set-Cookie: a', 'Set-Cookie: b'));
  expect(kept).toEqual([['Content-Type', 'text/plain'], ['Location', 'http://169.254.169.254/'], ['Set-Cookie', 'a'], ['Set-Cookie', 'b']]);
});
