// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { parseRequestPath, isPathAllowed } from './request-path.ts';
import { isHostHeader, parseAbsoluteTarget, parseConnectTarget, parseOriginForm, type Target } from './target.ts';

describe('CONNECT', () => {
  test.each([
    ['api.example.com:443', 'api.example.com', 443],
    ['API.example.com:8443', 'api.example.com', 8443],
    ['8.8.8.8:443', '8.8.8.8', 443],
    ['[2606:2800::1]:443', '[2606:2800::1]', 443],
  ])('%s', (text, host, port) => expect(parseConnectTarget(text)).toEqual({ ok: true, value: { host, port } }));

  test.each([
    'api.example.com', 'api.example.com:', 'api.example.com:0', 'api.example.com:65536', 'api.example.com:0443', 'api.example.com:+443', 'api.example.com:443:80', 'api.example.com:443/', 'api.example.com: 443',
    'https://api.example.com:443', 'user@api.example.com:443', 'api.example.com@evil.com:443', '127.0.0.1:443', '[::1]:443', '::1:443', '[::ffff:127.0.0.1]:443', 'localhost:443', '2130706433:443', '', ':443', '/', '*', 'api.example.com:4\u20e34', 'api.example.com:\uff14\uff14\uff13',
  ])('%j is refused', (text) => expect(parseConnectTarget(text)).toMatchObject({ ok: false }));
});

describe('absolute-form', () => {
  test.each([
    ['http://example.com/a?b=c', 'example.com', 80, '/a', '?b=c'],
    ['HTTP://Example.com:8080/', 'example.com', 8080, '/', ''],
    ['http://example.com', 'example.com', 80, '/', ''],
    ['http://example.com?x', 'example.com', 80, '/', '?x'],
  ])('%s', (text, host, port, path, query) => expect(parseAbsoluteTarget(text)).toEqual({ ok: true, value: { host, port, path, query } }));

  test.each([
    'https://example.com/', 'ftp://example.com/', '/a', '*', 'example.com', 'http:/example.com', 'http:example.com', 'http:///a', 'http://allowed.com@evil.com/', 'http://evil.com#allowed.com', 'http://evil.com\\@allowed.com/', 'http://evil.com\\.allowed.com',
    'http://example.com:443:80/', 'http://example.com:/', 'http://169.254.169.254/latest/meta-data', 'http://[fd00:ec2::254]/', 'http://metadata.google.internal/', 'http://0177.0.0.1/', 'http://127.1/', 'http://example.com/a#b', 'http://example.com/a b', 'http://example.com/\\a', 'http://example.com/\u00e9',
  ])('%j is refused', (text) => expect(parseAbsoluteTarget(text)).toMatchObject({ ok: false }));
});

describe('the Host header', () => {
  const to = { host: 'api.example.com', port: 443 } as Target;
  test.each([
    ['api.example.com', 443, true], ['API.EXAMPLE.COM', 443, true], ['api.example.com:443', 443, true], ['api.example.com', 80, false], ['api.example.com:80', 443, false],
    ['evil.com', 443, false], ['api.example.com, evil.com', 443, false], ['api.example.com@evil.com', 443, false], ['', 443, false], ['api.example.com.', 443, false],
  ])('%j with %d by default: %s', (header, port, same) => expect(isHostHeader(header, to, port)).toBe(same));
});

describe('a path', () => {
  test.each([
    ['/', '/', false],
    ['/v1/messages', '/v1/messages', false],
    ['/%61%2D%7e', '/a-~', false],
    ['/a%20b', '/a%20b', false],
    ['/@types%2fnode', '/@types%2Fnode', true],
    ['/a//b', '/a//b', true],
    ['/a%252e', '/a%252e', true],
    ['/a;x=1', '/a;x=1', true],
    ['/...', '/...', false],
  ])('%s is judged as %s', (text, judged, ambiguous) => expect(parseRequestPath(text)).toEqual({ ok: true, value: { judged, sent: text, ambiguous } }));

  test.each(['/../a', '/a/..', '/a/./b', '/.', '/%2e%2e/a', '/a/%2E', '/a/.%2e/b', '/a%2f..%2fb', '/a%2f%2e%2e', '/a%5c..%5cb', '/a%00', '/a%', '/a%2', '/a%zz', `/${'a'.repeat(2048)}`])('%j is refused', (text) =>
    expect(parseRequestPath(text)).toMatchObject({ ok: false }),
  );

  test.each<[string, readonly string[] | null, boolean]>([
    ['/anything/at/all', null, true],
    ['/@types%2fnode', null, true],
    ['/@types%2fnode', ['/**'], false],
    ['/v1/messages', ['/v1/messages'], true],
    ['/v1/messages/', ['/v1/messages'], false],
    ['/v1/messages', ['/v1/*'], true],
    ['/v1/messages/batches', ['/v1/*'], false],
    ['/v1/messages/batches', ['/v1/**'], true],
    ['/V1/messages', ['/v1/*'], false],
    ['/v1/%6dessages', ['/v1/messages'], true],
    ['/v1//admin', ['/v1/**'], false],
    ['/x', [], false],
  ])('%s within %j: %s', (text, patterns, allowed) => {
    const path = parseRequestPath(text);
    expect(path.ok && isPathAllowed(path.value, patterns)).toBe(allowed);
  });

  test.each(['a', '', '*', '/a#b', '/a\\b', '/a b', '/a\u0000'])('origin-form %j is refused', (text) => expect(parseOriginForm(text)).toMatchObject({ ok: false }));
});
