// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { whyNotPublic, whyTextNotPublic } from './address.ts';
import { literalAddress, parseHost } from './host.ts';
import { ipv6Text } from './ipv6.ts';

// R18, F02, F04, F05: every way that we know to write an internal address or name.

const INTERNAL_V4 = ['127.0.0.1', '169.254.169.254', '10.0.0.1', '192.168.1.1', '172.16.0.1', '100.100.100.200', '0.0.0.0', '127.255.255.254'];

/** All that inet_aton(3), browsers, libraries and resolvers have taken for one IPv4 address. */
function spellings(address: string): readonly string[] {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
  const whole = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const hex = (n: number, width = 1): string => n.toString(16).padStart(width, '0');
  const oct = (n: number): string => `0${n.toString(8)}`;
  const wide = (text: string): string => [...text].map((ch) => (ch === '.' ? '\uff0e' : String.fromCodePoint(0xff10 + Number(ch)))).join('');
  const circled = (text: string): string => [...text].map((ch) => (ch === '.' ? '.' : ch === '0' ? '\u24ea' : String.fromCodePoint(0x2460 + Number(ch) - 1))).join('');
  const groups = `${hex((a << 8) | b)}:${hex((c << 8) | d)}`;
  return [
    address,
    `${address}.`,
    String(whole),
    `0x${hex(whole, 8)}`,
    `0X${hex(whole, 8).toUpperCase()}`,
    oct(whole),
    [a, b, c, d].map(oct).join('.'),
    [a, b, c, d].map((n) => `0x${hex(n)}`).join('.'),
    [a, b, c, d].map((n) => `0x${hex(n, 4)}`).join('.'),
    [a, b, c, d].map((n) => `00${n}`).join('.'),
    `${a}.${(b << 16) | (c << 8) | d}`,
    `${a}.${b}.${(c << 8) | d}`,
    `0x${hex(a)}.${b}.${oct((c << 8) | d)}`,
    `${oct(a)}.0x${hex((b << 16) | (c << 8) | d)}`,
    wide(address),
    circled(address),
    address.replaceAll('.', '\u3002'),
    address.replaceAll('.', '%2e'),
    `%3${address[0]}${address.slice(1)}`,
    ` ${address}`,
    `${address} `,
    `${address}\t`,
    `${address}\0.example.com`,
    `user@${address}`,
    `${address}#.example.com`,
    `${address}\\.example.com`,
    `${address}/example.com`,
    `${address}%00.example.com`,
    `[${address}]`,
    `[::ffff:${address}]`,
    `[::FFFF:${groups}]`,
    `[0:0:0:0:0:ffff:${groups}]`,
    `[::ffff:0:${groups}]`,
    `[::${address}]`,
    `[::${groups}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b::${groups}]`,
    `[64:ff9b:1::${groups}]`,
    `[2002:${groups}::]`,
    `[2002:${groups}::1]`,
    `[2001:0:${groups}::]`,
    `[fe80::${groups}]`,
    `::ffff:${address}`,
    `[::ffff:${address}%25eth0]`,
  ];
}

const INTERNAL_V6 = [
  '[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[fe80::1]', '[fe80::1%eth0]', '[fe80::1%25eth0]', '[febf::1]', '[fec0::1]', '[fc00::1]', '[fd00:ec2::254]', '[FD00:EC2::254]',
  '[ff02::1]', '[ff05::2]', '[2001:db8::1]', '[2001:0DB8::1]', '[3fff::1]', '[2001::1]', '[2001:10::1]', '[2001:20::1]', '[2001:2::1]', '[100::1]', '[100:0:0:1::1]', '[5f00::1]', '[4000::1]', '[e000::1]',
  '[::1', '::1]', '::1', '[::1]]', '[[::1]]', '[1::2::3]', '[:::1]', '[12345::]', '[1:2:3:4:5:6:7:8:9]', '[1:2:3:4:5:6:7]', '[]', '[::g]', '[::1.2.3]', '[::01.2.3.4]', '[1.2.3.4::]', '[2002:a00:1::]',
];

const INTERNAL_NAMES = [
  'localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'localhost.localdomain', 'printer.local', 'metadata.google.internal', 'METADATA.google.internal', 'metadata.google.internal.', 'metadata', 'kubernetes.default.svc.cluster.local',
  'router.lan', 'nas.home', 'nas.home.arpa', 'dc.corp', 'x.intranet', 'x.private', '1.0.0.127.in-addr.arpa', '1.ip6.arpa', 'x.onion', 'x.invalid', 'x.alt', 'db', 'ip6-localhost', '', '.', '..', 'a..b.com', '.example.com', 'example.com.',
  'exam ple.com', 'example.com\n', 'exa\tmple.com', 'example.com\r\nHost: x', 'user@example.com', 'example.com#x', 'example.com?x', 'example.com/x', 'example.com\\x', 'example.com%2f', 'ex%61mple.com', 'example.com:443', '*.example.com',
  'b\u00fccher.example', '\u0430pple.com', 'example\u3002com', 'example\uff0ecom', '\uff45xample.com', 'exa\u200bmple.com', 'exam\u00adple.com', '\u202eexample.com', '\u212aernel.org', '\u2113ocalhost', 'under_score.example.com', '-a.example.com', 'a-.example.com',
  `${'a'.repeat(64)}.example.com`, `${'a.'.repeat(130)}com`, 'example.1', 'example.0x1', 'example.0x', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.1.1.256', '0x7f.1', '127.1', '0', '00', '0x0', '1e3', '4294967296', '08.08.08.08', '8.8.8.08', '+8.8.8.8', '8.8.8.8e0',
];

const refusedSpellings = [...new Set([...INTERNAL_V4.flatMap(spellings), ...INTERNAL_V6, ...INTERNAL_NAMES])];

describe('a host has one spelling, and is never internal', () => {
  test('there are enough spellings for the promise', () => {
    expect(refusedSpellings.length).toBeGreaterThan(400);
  });

  test.each(refusedSpellings)('%j is refused', (text) => {
    expect(parseHost(text)).toMatchObject({ ok: false });
  });

  test.each([
    ['example.com', 'example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['8.8.8.8', '8.8.8.8'],
    ['93.184.216.34', '93.184.216.34'],
    ['[2606:2800:220:1:248:1893:25c8:1946]', '[2606:2800:220:1:248:1893:25c8:1946]'],
    ['1.1.1.1.example.com', '1.1.1.1.example.com'],
    ['127.0.0.1.nip.io', '127.0.0.1.nip.io'],
    ['0x7f.example.com', '0x7f.example.com'],
    ['a-b.c-d.example', 'a-b.c-d.example'],
    ['registry.npmjs.org', 'registry.npmjs.org'],
    ['api.test', 'api.test'],
  ])('%s is %s', (text, host) => {
    expect(parseHost(text)).toEqual({ ok: true, value: host });
  });

  test.each([
    ['2130706433', 'number'], ['[::ffff:127.0.0.1]', 'IPv4-mapped'], ['[64:ff9b::a00:1]', 'RFC 1918'], ['169.254.169.254', 'metadata'],
    ['[fe80::1%eth0]', 'zone id'], ['[2606:2800:0220:1::1]', 'write this address as [2606:2800:220:1::1]'], ['example.com.', 'ends with a dot'], ['bücher.example', 'xn--'],
  ])('%s: the message says why (%s)', (text, why) => {
    expect(parseHost(text)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  });

  test('an address is told from a name', () => {
    expect(['8.8.8.8', '[2606::1]', 'example.com'].map(literalAddress)).toEqual(['8.8.8.8', '2606::1', null]);
  });
});

/** By another way than address.ts goes: numbers, not bytes and masks. */
function isInternal(a: number, b: number, c: number, d: number): boolean {
  const n = ((a * 256 + b) * 256 + c) * 256 + d;
  const between = (from: string, to: string): boolean => n >= value(from) && n <= value(to);
  return (
    between('0.0.0.0', '0.255.255.255') || between('10.0.0.0', '10.255.255.255') || between('100.64.0.0', '100.127.255.255') || between('127.0.0.0', '127.255.255.255') ||
    between('169.254.0.0', '169.254.255.255') || between('172.16.0.0', '172.31.255.255') || between('192.0.0.0', '192.0.0.255') || between('192.0.2.0', '192.0.2.255') ||
    between('192.31.196.0', '192.31.196.255') || between('192.52.193.0', '192.52.193.255') || between('192.88.99.0', '192.88.99.255') || between('192.168.0.0', '192.168.255.255') ||
    between('192.175.48.0', '192.175.48.255') || between('198.18.0.0', '198.19.255.255') || between('198.51.100.0', '198.51.100.255') || between('203.0.113.0', '203.0.113.255') ||
    between('224.0.0.0', '255.255.255.255') || between('168.63.129.16', '168.63.129.16')
  );
}
const value = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));

describe('any address', () => {
  test('1000 random public ones are taken as they are', () => {
    fc.assert(
      fc.property(octets.filter((o) => !isInternal(...o)), (o) => {
        expect(whyNotPublic(Uint8Array.from(o))).toBeNull();
        expect(parseHost(o.join('.'))).toEqual({ ok: true, value: o.join('.') });
      }),
      { numRuns: 1000 },
    );
  });

  test('IPv4: refused exactly when the registry says so, bare and within IPv6', () => {
    const near: fc.Arbitrary<[number, number, number, number]> = fc.oneof(octets, fc.tuple(fc.constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224), fc.constantFrom(0, 2, 16, 18, 31, 51, 52, 63, 64, 88, 127, 168, 175, 254), fc.nat(255), fc.nat(255)));
    fc.assert(
      fc.property(near, (o) => {
        expect(whyNotPublic(Uint8Array.from(o)) !== null).toBe(isInternal(...o));
        for (const head of ['::ffff:', '::', '64:ff9b::', '::ffff:0:']) expect(whyTextNotPublic(`${head}${o.join('.')}`)).not.toBeNull();
      }),
      { numRuns: 3000 },
    );
  });

  test('1000 random public IPv6 addresses are taken in their one spelling', () => {
    const rest = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 7, maxLength: 7 });
    const groups = fc.tuple(fc.integer({ min: 0x2400, max: 0x2bff }), rest).map(([first, more]) => [first, ...more]);
    fc.assert(
      fc.property(groups, (list) => {
        const bytes = Uint8Array.from(list.flatMap((g) => [g >> 8, g & 0xff]));
        fc.pre(!(list[0] === 0x2620 && list[1] === 0x4f && list[2] === 0x8000));
        const text = `[${ipv6Text(bytes)}]`;
        expect(parseHost(text)).toEqual({ ok: true, value: text });
        // The same as the system's own parser prints it.
        expect(new URL(`http://${text}/`).hostname).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test('no text at all is taken that WHATWG URL understands as something else', () => {
    const letters = fc.constantFrom(...'01279abcdefx.-[]:%@/\\#?_ \t\u00df\uff11\u2460\u3002'.split(''));
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 24 }).map((l) => l.join('')), (text) => {
        const parsed = parseHost(text);
        if (!parsed.ok) return;
        expect(new URL(`http://${text}/`).hostname).toBe(parsed.value);
      }),
      { numRuns: 20_000 },
    );
  });
});
