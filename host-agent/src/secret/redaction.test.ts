// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactor, type Redactor } from './redaction.ts';
import { CLAIMED } from './testdata/spellings.ts';

const RUNS = Number(process.env['HOLDFAST_COUNT'] ?? 300);
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
const of = (...values: readonly string[]): Redactor => redactor(values.map((value, at) => ({ name: `S${at}`, value: utf8(value) })));

const ONE_LETTER = 'aaaaaaaa';
const SECRETS = [
  'sk-ant-api03-Ab9_/x+Q&z"yT\\w7',
  'correct horse battery staple',
  'pässwört-ünd-mehr-😀!',
  '12345678',
  ONE_LETTER,
  `-----BEGIN KEY-----\n${'QUJDREVGR0hJSktMTU5P\n'.repeat(4)}-----END KEY-----\n`,
  '%%41%%5c%22\\u0041',
];

/** As chunks of these sizes, again and again. */
function inChunks(redact: Redactor, text: Uint8Array, sizes: readonly number[]): Buffer {
  const stream = redact.stream();
  const out: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < text.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    out.push(stream.push(text.subarray(at, at + size)));
    at += size;
  }
  out.push(stream.end());
  return Buffer.concat(out);
}

describe('what is found', () => {
  for (const { name, spell, fits = () => true } of CLAIMED) {
    it(`${name}: at every position, nothing of it is left`, () => {
      for (const secret of SECRETS.filter(fits)) {
        const redact = of(secret);
        const form = spell(secret);
        for (const [before, after] of [['', ''], ...Array.from({ length: 9 }, (_, at) => [`${'x'.repeat(at)} `, ` ${'y'.repeat(at)}`]), ['{"a":"', '"}'], ['<', '>'], ['\n', '\r\n']] as const) {
          const { texts, found } = redact.texts([`${before}${form}${after}`]);
          expect(found, `${name} of ${secret} behind ${JSON.stringify(before)}`).toEqual(['S0']);
          expect(texts[0]).toContain('[secret S0 removed]');
          // One letter again and again looks the same in other groups of base64, so its neighbours may go with it.
          const stays = secret === ONE_LETTER || (texts[0]!.startsWith(before) && texts[0]!.endsWith(after));
          expect(stays, `the text around stays: ${texts[0]!}`).toBe(true);
        }
      }
    });
  }

  it('names the first and longest of secrets that overlap, and each that stands alone', () => {
    const redact = of('abcdefgh12345678', '12345678', 'ghijklmnop');
    expect(redact.text('x abcdefgh12345678 y')).toBe('x [secret S0 removed] y');
    expect(redact.text('x 12345678 y')).toBe('x [secret S1 removed] y');
    expect(redact.texts(['12345678', 'GHIJKLMNOP', 'neither'])).toEqual({ texts: ['[secret S1 removed]', '[secret S2 removed]', 'neither'], found: ['S1', 'S2'] });
  });

  it('looks for no secret that is too short, and counts it', () => {
    const redact = of('abc', 'abcdefg', 'abcdefgh');
    expect(redact.ignored).toBe(2);
    expect(redact.text('abc abcdefg abcdefgh')).toBe('abc abcdefg [secret S2 removed]');
  });

  it('refuses a name that cannot stand in a mark', () => {
    expect(() => redactor([{ name: 'a"b', value: utf8('12345678') }])).toThrow(/name/);
  });

  it('does nothing once it is wiped', () => {
    const redact = of('12345678');
    redact.wipe();
    expect(() => redact.text('a 12345678')).toThrow(/wiped/);
  });
});

describe('what stays', () => {
  it('is every text without a secret, byte by byte', () => {
    const redact = of(...SECRETS);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (bytes, sizes) => {
      expect(redact.bytes(bytes)).toBe(bytes);
      expect(inChunks(redact, bytes, sizes)).toEqual(Buffer.from(bytes));
    }), { numRuns: RUNS });
  });

  it('is JSON, whatever is removed from its strings', () => {
    const value = fc.stringMatching(/^[\\"nu0abf/]{8,12}$/);
    fc.assert(fc.property(value, fc.array(fc.oneof(value, fc.constant('')), { minLength: 1, maxLength: 4 }), fc.boolean(), (secret, parts, twice) => {
      const inner = JSON.stringify({ a: parts.join(secret), b: [secret] });
      const text = twice ? JSON.stringify({ body: inner }) : inner;
      const clean = of(secret).text(text);
      expect(() => JSON.parse(clean), `${text} became ${clean}`).not.toThrow();
    }), { numRuns: RUNS });
  });

  it('is a text that JavaScript cannot write as UTF-8', () => {
    expect(of('12345678').text('a \ud800 b')).toBe('a \ud800 b');
  });
});

/** Pieces of secrets and of their escapes, so that nearly everything nearly fits. */
const nearly = fc.array(
  fc.oneof(
    fc.constantFrom(...CLAIMED.filter(({ fits }) => fits === undefined).flatMap(({ spell }) => SECRETS.slice(0, 5).map(spell))),
    fc.constantFrom(...SECRETS).chain((secret) => fc.nat(secret.length).map((end) => secret.slice(0, end))),
    fc.constantFrom('\\', '\\u00', '\\u0061', '%', '%6', '%61', '&', '&#97;', '&am', 'a', 'aaaa', ' ', '\n', 'YWFhYWFhYWE', '6161616161', '='),
  ),
  { maxLength: 12 },
).map((parts) => utf8(parts.join('')));

describe('chunks', () => {
  it('change nothing, wherever they end', () => {
    const redact = of(...SECRETS);
    fc.assert(fc.property(nearly, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 }), (text, sizes) => {
      const whole = Buffer.from(redact.bytes(text));
      expect(inChunks(redact, text, sizes).toString()).toBe(whole.toString());
      expect(inChunks(redact, text, [1]).toString()).toBe(whole.toString());
    }), { numRuns: RUNS });
  });

  it('leave nothing of a secret behind: what is clean stays as it is', () => {
    const redact = of(...SECRETS);
    fc.assert(fc.property(nearly, (text) => {
      const plain = Buffer.from(redact.bytes(text)).toString();
      for (const secret of SECRETS) expect(plain.toLowerCase()).not.toContain(secret.toLowerCase());
    }), { numRuns: RUNS });
  });

  it('are held back no longer than the longest form is written', () => {
    const secret = SECRETS[0]!;
    const redact = of(secret);
    const longest = Math.max(...CLAIMED.map(({ spell }) => spell(secret).length)) * 2;
    for (const text of ['a'.repeat(100_000), `${secret.slice(0, -1)} `.repeat(3_000), `${' '.repeat(1_000)}s`.repeat(50), 'QUJD\n'.repeat(20_000), `QUJDQUJDQUJD${'\n'.repeat(50_000)}`, '\\'.repeat(50_000), '%2573'.repeat(9_000), secret.repeat(3_000)]) {
      const stream = redact.stream();
      let most = 0;
      for (let at = 0; at < text.length; at += 100) {
        stream.push(utf8(text.slice(at, at + 100)));
        most = Math.max(most, stream.held());
      }
      expect(most, text.slice(0, 40)).toBeLessThan(longest + 100);
    }
  });
});

describe('cost', () => {
  /** Steps of the finder for each byte: counted, as time says little on a busy machine. */
  function stepsPerByte(redact: Redactor, text: string): number {
    const before = redact.steps();
    redact.text(text);
    return (redact.steps() - before) / utf8(text).length;
  }

  const traps: Readonly<Record<string, (times: number) => string>> = {
    'one letter': (times) => 'a'.repeat(times * 8),
    'almost the secret': (times) => `${'a'.repeat(199)}c`.repeat(Math.ceil(times / 25)),
    'almost in base64': (times) => Buffer.from(`${'a'.repeat(199)}c`.repeat(Math.ceil(times / 25))).toString('base64'),
    'almost in hex': (times) => '61'.repeat(times * 4),
    'almost in percent signs': (times) => '%2561'.repeat(times),
    'backslashes': (times) => '\\'.repeat(times * 8),
    'half escapes': (times) => '\\u00\\ud83d\\u&#&#x%%2'.repeat(times),
    'spaces': (times) => 'a \n'.repeat(times * 2),
    'zeros': (times) => '0x0 0:0'.repeat(times),
  };

  for (const [name, make] of Object.entries(traps)) {
    it(`grows with the text alone: ${name}`, () => {
      const redact = of(`${'a'.repeat(200)}b`, 'aaaaaaaaab', '%%%%%%%%%%%%%%%%%%%%%%%%%b', '\\\\\\\\\\\\\\\\\\\\\\b', '0000000000000001');
      const [small, large] = [stepsPerByte(redact, make(500)), stepsPerByte(redact, make(8_000))];
      expect(large).toBeLessThan(1.1 * small + 0.5);
      expect(large, 'two steps a byte for each reading at the most').toBeLessThan(2 * 16);
    });
  }

  it('does not grow with the number of secrets', () => {
    const text = JSON.stringify(CLAIMED.map(({ name }, at) => ({ name, at, note: 'nothing that anybody wants to hide' })));
    const many = of(...Array.from({ length: 200 }, (_, at) => utf8(`secret number ${at}: ${'x'.repeat(at % 60)}`).toString('base64')));
    expect(stepsPerByte(many, text)).toBeLessThan(3 * stepsPerByte(of('q8Ah2pMz71Xv'), text));
  });
});
