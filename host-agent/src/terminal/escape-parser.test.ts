// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEscapeParser, type Piece } from './escape-parser.ts';

const ESC = '\x1b';
const parse = (...parts: readonly string[]): readonly Piece[] => {
  const parser = openEscapeParser();
  return [...parts.flatMap((part) => parser.feed(part)), ...parser.end()];
};
/** `t`ext, `c`ontrol, `s`equence, `b`roken. */
const shown = (pieces: readonly Piece[]): readonly string[] => pieces.map(({ kind, text }) => `${kind[0]} ${text}`);

describe('what a program writes is taken apart', () => {
  test.each<[string, string, readonly string[]]>([
    ['text', 'héllo 世界', ['t héllo 世界']],
    ['controls', 'a\r\n\x07b', ['t a', 'c \r', 'c \n', 'c \x07', 't b']],
    ['controls of eight bits', '\x9b31m\x7f', ['c \x9b', 't 31m', 'c \x7f']],
    ['a colour', `${ESC}[1;31mred${ESC}[m`, [`s ${ESC}[1;31m`, 't red', `s ${ESC}[m`]],
    ['a private mode', `${ESC}[?1049h`, [`s ${ESC}[?1049h`]],
    ['an intermediate', `${ESC}[!p${ESC}[?1$p${ESC}(0`, [`s ${ESC}[!p`, `s ${ESC}[?1$p`, `s ${ESC}(0`]],
    ['short ones', `${ESC}7${ESC}M${ESC}c`, [`s ${ESC}7`, `s ${ESC}M`, `s ${ESC}c`]],
    ['a title, ended by BEL', `${ESC}]0;x\x07y`, [`s ${ESC}]0;x\x07`, 't y']],
    ['a title, ended by ST', `${ESC}]2;x${ESC}\\y`, [`s ${ESC}]2;x${ESC}\\`, 't y']],
    ['a device control string', `${ESC}P$qm${ESC}\\`, [`s ${ESC}P$qm${ESC}\\`]],
    ['application, privacy and start of string', `${ESC}_a${ESC}\\${ESC}^b${ESC}\\${ESC}Xc${ESC}\\`, [`s ${ESC}_a${ESC}\\`, `s ${ESC}^b${ESC}\\`, `s ${ESC}Xc${ESC}\\`]],
    ['a string that another sequence ends', `${ESC}]0;x${ESC}[2J`, [`b ${ESC}]0;x`, `s ${ESC}[2J`]],
    ['a string that CAN ends', `${ESC}]0;x\x18y`, [`b ${ESC}]0;x`, 'c \x18', 't y']],
    ['a sequence that a control breaks', `${ESC}[3\n1m`, [`b ${ESC}[3`, 'c \n', 't 1m']],
    ['a sequence in a sequence', `${ESC}[${ESC}[2J`, [`b ${ESC}[`, `s ${ESC}[2J`]],
    ['a letter in a sequence', `${ESC}[é`, [`b ${ESC}[`, 't é']],
    ['one that does not end', `x${ESC}[12`, ['t x', `b ${ESC}[12`]],
    ['a string that does not end', `${ESC}]0;x${ESC}`, [`b ${ESC}]0;x${ESC}`]],
  ])('%s', (_, text, expected) => {
    expect(shown(parse(text))).toEqual(expected);
    // Cut anywhere, it is the same.
    expect(parse(...text).map(({ text: t }) => t).join('')).toBe(text);
    const cut = shown(parse(...text)).filter((piece) => !piece.startsWith('t '));
    expect(cut).toEqual(expected.filter((piece) => !piece.startsWith('t ')));
  });

  test('holds no more of an endless sequence than a little', () => {
    expect(shown(parse(`${ESC}[${'1'.repeat(1000)}m`))[0]).toBe(`b ${ESC}[${'1'.repeat(62)}`);
    expect(parse(`${ESC}]0;${'x'.repeat(10_000)}\x07`)[0]).toMatchObject({ kind: 'broken', text: expect.objectContaining({ length: 4096 }) });
  });

  test('loses nothing and adds nothing, wherever its input is cut', () => {
    const bit = fc.oneof(fc.constantFrom(ESC, '[', ']', 'P', '\\', '\x07', '?', '1', ';', 'm', '\x9b', '\x18', '\n'), fc.string({ unit: 'binary', maxLength: 3 }));
    fc.assert(fc.property(fc.array(fc.array(bit).map((bits) => bits.join(''))), (parts) => {
      expect(parse(...parts).map(({ text }) => text).join('')).toBe(parts.join(''));
    }), { numRuns: Number(process.env['HOLDFAST_COUNT'] ?? 300) });
  });
});
