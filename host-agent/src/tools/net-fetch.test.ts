// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { netFetch } from './net-fetch.ts';
import { readWebAddress } from './web-address.ts';

test.each([
  ['https://a.example', 'https', 'a.example', '443', '/', '/'],
  ['https://a.example/', 'https', 'a.example', '443', '/', '/'],
  ['https://a.example:8443/x/y?q=1&r=%20', 'https', 'a.example', '8443', '/x/y?q=1&r=%20', '/x/y'],
  ['http://a.example/x', 'http', 'a.example', '80', '/x', '/x'],
  ['https://192.0.2.7/x', 'https', '192.0.2.7', '443', '/x', '/x'],
  // Dot segments are gone before anything is judged.
  ['https://a.example/v1/../admin', 'https', 'a.example', '443', '/admin', '/admin'],
  ['https://a.example/v1/%2e%2e/admin', 'https', 'a.example', '443', '/admin', '/admin'],
  ['https://xn--bcher-kva.example/', 'https', 'xn--bcher-kva.example', '443', '/', '/'],
  ['https://a.example?x', 'https', 'a.example', '443', '/?x', '/'],
])('%s is read once', (url, scheme, host, port, path, shown) => {
  expect(readWebAddress(url)).toMatchObject({ ok: true, value: { scheme, host, port, path, shown } });
});

test.each([
  ['https://allowed.example@evil.example/', 'user or password'],
  ['https://user:pass@a.example/', 'user or password'],
  ['https://@a.example/', 'user or password'],
  ['https://a.example\\@evil.example/', 'backslash'],
  ['https:\\\\a.example/', 'backslash'],
  ['https:a.example', 'https://'],
  ['https:///a.example/', 'is read as'],
  ['HTTPS://a.example/', 'https://'],
  ['https://A.example/', 'is read as a.example'],
  ['https://a.example./', 'name in small letters'],
  ['https://a%2eexample/', 'is read as'],
  ['https://bücher.example/', 'printable ASCII'],
  ['https://ⓐ.example/', 'printable ASCII'],
  ['https://a.exa\tmple/', 'printable ASCII'],
  ['https://a.example/\n', 'printable ASCII'],
  [' https://a.example/', 'printable ASCII'],
  ['https://a.example/#x', '# part'],
  ['https://a.example/#', '# part'],
  ['https://evil.example#allowed.example', '# part'],
  ['https://[::1]/', 'name in small letters'],
  ['https://[::ffff:169.254.169.254]/', 'name in small letters'],
  ['https://2130706433/', 'is read as 127.0.0.1'],
  ['https://0x7f.1/', 'is read as 127.0.0.1'],
  ['https://0177.0.0.1/', 'is read as 127.0.0.1'],
  ['https://127.1/', 'is read as 127.0.0.1'],
  ['https://①②⑦.0.0.1/', 'printable ASCII'],
  ['https://a.example:443:80/', 'is not a URL'],
  ['https://a.example:0/', 'port'],
  ['https://a.example:65536/', 'is not a URL'],
  ['http://a.example:8080/', 'only port 80'],
  ['http://a.example:443/', 'only port 80'],
  ['ftp://a.example/', 'https://'],
  ['file:///etc/passwd', 'https://'],
  ['unix:/run/x.sock', 'https://'],
  ['//a.example/', 'https://'],
  ['', 'printable ASCII'],
])('%j is refused (F05)', (url, why) => {
  expect(readWebAddress(url)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
});

describe('what goes with it', () => {
  const read = (args: object) => netFetch.input.safeParse({ url: 'https://a.example/x?q=1', ...args });

  test('the control', () => {
    expect(read({ method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hi' }).success).toBe(true);
  });

  test.each([
    ['a host beside the url', { host: 'b.example' }],
    ['a body with GET', { body: 'x' }],
    ['a method of its own', { method: 'TRACE' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['a header in capitals', { headers: { Accept: 'x' } }],
    ['a line break in a header', { headers: { accept: 'x\r\nhost: b' } }],
    ['another host', { headers: { host: 'b.example' } }],
    ['a length of its own', { method: 'POST', body: 'x', headers: { 'content-length': '0' } }],
    ['chunks of its own', { method: 'POST', body: 'x', headers: { 'transfer-encoding': 'chunked' } }],
    ['credentials for the proxy', { headers: { 'proxy-authorization': 'x' } }],
    ['an upgrade', { headers: { upgrade: 'websocket' } }],
    ['more headers than there are', { headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x-${i}`, ''])) }],
    ['more than fits', { method: 'POST', body: 'x'.repeat(256 * 1024 + 1) }],
  ])('refused: %s', (_, args) => {
    expect(read(args).success).toBe(false);
  });

  test('the ledger keeps no query, no body and no value of a header', () => {
    const parsed = read({ method: 'POST', headers: { authorization: 'Bearer hunter2' }, body: 'hunter3' });
    if (!parsed.success) throw new Error('refused');
    expect(netFetch.recorded!(parsed.data)).toEqual({ method: 'POST', scheme: 'https', host: 'a.example', port: '443', path: '/x', headers: ['authorization'], body_bytes: 7 });
  });

  test('an answer is text where it is text, and says when it was cut or refused', () => {
    const parsed = read({});
    if (!parsed.success) throw new Error('refused');
    const seen = { status: 200, headers: [['content-type', 'text/plain']], body: Buffer.from('hallo').toString('base64'), truncated: false, sent: 1, received: 2 };
    expect(netFetch.reply(parsed.data, { seen })).toMatchObject({ isError: false, text: 'GET a.example:443/x answered 200:\nhallo', data: { status: 200, encoding: 'text', body: 'hallo', truncated: false } });
    expect(netFetch.reply(parsed.data, { seen: { ...seen, status: 302, headers: [['location', 'https://b.example/']] } })).toMatchObject({ isError: false, data: { headers: [['location', 'https://b.example/']] } });
    expect(netFetch.reply(parsed.data, { seen: { ...seen, status: 404, truncated: true } })).toMatchObject({ isError: true, text: expect.stringContaining('[cut') });
    expect(netFetch.reply(parsed.data, { seen: { ...seen, body: Buffer.from([0xff, 0xfe]).toString('base64') } })).toMatchObject({ data: { encoding: 'base64', body: '//4=' } });
    expect(() => netFetch.reply(parsed.data, { seen: { status: 200 } })).toThrow('something else');
  });
});
