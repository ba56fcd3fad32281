// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEscapeParser } from './escape-parser.ts';
import { asLines, asWords, ENTER_SCREEN, LEAVE_SCREEN, onScreen } from './screen-filter.ts';

const ESC = '\x1b';
const ascii = { unicode: false };
const filtered = (text: string, options = ascii): string => {
  const parser = openEscapeParser();
  return [...parser.feed(text), ...parser.end()].map((piece) => onScreen(piece, options)).join('');
};

describe('on a person\'s terminal', () => {
  test.each([
    ['text and lines', 'a\tb\r\n\b'],
    ['colours', `${ESC}[m${ESC}[0m${ESC}[1;38;5;208m${ESC}[38:2::1:2:3m`],
    ['moves', `${ESC}[H${ESC}[24;80H${ESC}[5A${ESC}[B${ESC}[3C${ESC}[4D${ESC}[2E${ESC}[F${ESC}[10G${ESC}[7d${ESC}[9\`${ESC}[2;2f`],
    ['erasing', `${ESC}[J${ESC}[2J${ESC}[K${ESC}[1K${ESC}[4X`],
    ['inserting and deleting', `${ESC}[@${ESC}[2L${ESC}[2M${ESC}[3P${ESC}[80b`],
    ['a region and scrolling', `${ESC}[1;20r${ESC}[2S${ESC}[T`],
    ['what leaving puts right', `${ESC}[?25l${ESC}[?7l${ESC}[4h${ESC}(0${ESC}7${ESC}8${ESC}M`],
  ])('%s pass', (_, text) => {
    expect(filtered(text)).toBe(text);
  });

  test.each([
    ['title', `${ESC}]0;x\x07`],
    ['title, and ask for it', `${ESC}]2;rm -rf /${ESC}\\${ESC}[21t`],
    ['clipboard (OSC 52)', `${ESC}]52;c;ZXZpbA==\x07`],
    ['ask for the clipboard', `${ESC}]52;c;?\x07`],
    ['colours of the palette, asked for', `${ESC}]4;1;?\x07${ESC}]10;?\x07`],
    ['a link', `${ESC}]8;;http://evil${ESC}\\x${ESC}]8;;${ESC}\\`],
    ['iTerm\'s file and notification', `${ESC}]1337;File=:AA==\x07${ESC}]9;x\x07`],
    ['working directory', `${ESC}]7;file:///\x07`],
    ['status, position, device (DSR, DA)', `${ESC}[5n${ESC}[6n${ESC}[?6n${ESC}[c${ESC}[>c${ESC}[=c${ESC}[0c${ESC}Z\x05`],
    ['settings and capabilities (DECRQSS, XTGETTCAP, DECRQM, DECREQTPARM)', `${ESC}P$q"p${ESC}\\${ESC}P+q544e${ESC}\\${ESC}[?2026$p${ESC}[x`],
    ['version, checksums, keyboard', `${ESC}[>q${ESC}[1;1;1;1;1;1*y${ESC}[?u${ESC}[>1u`],
    ['windows', `${ESC}[8;1;1t${ESC}[3;0;0t${ESC}[2t${ESC}[14t${ESC}[18t${ESC}[22;5t`],
    ['keys that the terminal would send (DECUDK)', `${ESC}P0;1|17/6c73${ESC}\\`],
    ['printing', `${ESC}[i${ESC}[5i${ESC}[?5i`],
    ['reset, alignment, locked keyboard', `${ESC}c${ESC}[!p${ESC}#8${ESC}[2h`],
    ['a smaller terminal, other modes', `${ESC}[?3h${ESC}[?6h${ESC}[?5h${ESC}[20h${ESC}[?1001h${ESC}[?9h`],
    ['the person\'s own lines', `${ESC}[3J`],
    ['tabs', `${ESC}H${ESC}[3g${ESC}[?5W`],
    ['highlight tracking', `${ESC}[1;1;1;1;1T`],
    ['sixels and other strings', `${ESC}Pq#0${ESC}\\${ESC}_Gi=1${ESC}\\${ESC}^x${ESC}\\${ESC}Xx${ESC}\\`],
    ['eight bits', '\x9b6n\x9d52;c;?\x9c\x90$qm\x9c'],
    ['other character sets, encodings', `${ESC}%@${ESC}%G${ESC}(K${ESC}n${ESC}o\x0e\x0f${ESC} F${ESC} G`],
    ['bell and other controls', '\x07\x00\x0b\x0c\x7f'],
    ['a number too large', `${ESC}[99999b${ESC}[1000000000C`],
    ['the end of a sequence without its beginning', `${ESC}[${ESC}`],
  ])('%s: not one byte of it acts', (_, text) => {
    const shown = filtered(text);
    expect(shown).toMatch(/^[\x20-\x7e]*$/);
    // And it is not silent: what was tried can be read.
    expect(shown).toContain('\\x');
  });

  test.each([
    ['keys and mouse', `${ESC}[?1h${ESC}=${ESC}[?2004h${ESC}[?1006;1000h${ESC}[>4;2m${ESC}[?12l${ESC}>`, ''],
    ['the other screen', `${ESC}[?1049h${ESC}[22;0;0t`, `${ESC}[2J${ESC}[H`],
  ])('%s is left out or stands for itself', (_, text, expected) => {
    expect(filtered(text)).toBe(expected);
  });

  test('letters beyond ASCII pass only where a person said that the terminal reads them, and nothing that hides or turns', () => {
    const text = 'Û世é│\u202ertl\u200b\u2066\ufeff\u2028\u0085\ue000';
    expect(filtered(text)).toBe('\\xdb\\u{4e16}\\xe9\\u{2502}\\u{202e}rtl\\u{200b}\\u{2066}\\u{feff}\\u{2028}\\x85\\u{e000}');
    expect(filtered(text, { unicode: true })).toBe('Û世é│\\u{202e}rtl\\u{200b}\\u{2066}\\u{feff}\\u{2028}\\x85\\u{e000}');
  });

  test('whatever comes: what goes out is plain, or a sequence that the same filter lets pass unchanged', () => {
    const bit = fc.oneof(fc.constantFrom(ESC, `${ESC}[`, `${ESC}]`, `${ESC}P`, '?', '1', ';', 'm', 'n', 'c', 't', 'h', '$q', '\x9b', '\x07', `${ESC}\\`), fc.string({ unit: 'binary', maxLength: 2 }));
    fc.assert(fc.property(fc.array(bit, { maxLength: 12 }), fc.boolean(), (bits, unicode) => {
      const out = filtered(bits.join(''), { unicode });
      const again = [...openEscapeParser().feed(out)];
      for (const piece of again) {
        if (piece.kind === 'text') expect(unicode || /^[\x20-\x7e]*$/.test(piece.text)).toBe(true);
        else if (piece.kind === 'control') expect(['\b', '\t', '\n', '\r']).toContain(piece.text);
        else expect([piece.kind, onScreen(piece, ascii)]).toEqual(['sequence', piece.text]);
      }
    }), { numRuns: Number(process.env['HOLDFAST_COUNT'] ?? 1000) });
  });

  test('leaving puts right all that may pass', () => {
    expect(ENTER_SCREEN.startsWith(`${ESC}[?1049h`)).toBe(true);
    for (const undone of ['[r', '[m', '(B', '[4l', '[?7h', '[?25h', '[?1049l']) expect(LEAVE_SCREEN).toContain(ESC + undone);
  });
});

test('into a pipe go lines; every sequence is shown', () => {
  const parser = openEscapeParser();
  const out = parser.feed(`${ESC}[1mbold\r\n${ESC}]0;x\x07`).map((piece) => asLines(piece, ascii)).join('');
  expect(out).toBe('\\x1b[1mbold\n\\x1b]0;x\\x07');
});

test('who wants the words gets them', () => {
  const parser = openEscapeParser();
  expect(parser.feed(`${ESC}[?2004h$ ls\r\n${ESC}[1;34mdir${ESC}[0m\tü${ESC}]0;t\x07\r\n`).map(asWords).join('')).toBe('$ ls\ndir\tü\n');
});
