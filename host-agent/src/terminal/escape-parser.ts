// SPDX-License-Identifier: Apache-2.0

/** What a program wrote to its terminal, taken apart (ECMA-48, and xterm's strings). */
export type Piece =
  /** Nothing in it acts on a terminal, as far as its encoding goes; what can deceive an eye is not judged here. */
  | { readonly kind: 'text'; readonly text: string }
  /** One of C0, DEL or C1. */
  | { readonly kind: 'control'; readonly text: string }
  /** From ESC to its end, which has come: `\x1b[1m`, `\x1b]0;title\x07`, `\x1bM`. */
  | { readonly kind: 'sequence'; readonly text: string }
  /** Something that began like one and went on otherwise, or too long. */
  | { readonly kind: 'broken'; readonly text: string };

export type EscapeParser = {
  readonly feed: (text: string) => readonly Piece[];
  /** What has begun and not ended. */
  readonly end: () => readonly Piece[];
};

const SEQUENCE_MAX = 64;
/** Of a string, such as a title. */
const STRING_MAX = 4096;

type State = 'ground' | 'escape' | 'csi' | 'string' | 'string-escape';

/** Holds no more than one unfinished sequence, wherever its input is cut. Total: every character comes out again, in order. */
export function openEscapeParser(): EscapeParser {
  let state: State = 'ground';
  let held = '';
  let plain = '';
  let pieces: Piece[] = [];

  function put(kind: 'control' | 'sequence' | 'broken', text: string): void {
    flush();
    pieces.push({ kind, text });
  }

  function flush(): void {
    if (plain !== '') pieces.push({ kind: 'text', text: plain });
    plain = '';
  }

  function ends(kind: 'sequence' | 'broken'): void {
    put(kind, held);
    held = '';
    state = 'ground';
  }

  /** The character belongs to what comes next. */
  function breaks(character: string): void {
    ends('broken');
    step(character);
  }

  function step(character: string): void {
    const code = character.codePointAt(0)!;
    switch (state) {
      case 'ground':
        if (code === 0x1b) {
          held = character;
          state = 'escape';
        } else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) put('control', character);
        else plain += character;
        return;
      case 'escape':
        if (code < 0x20 || code > 0x7e || held.length >= SEQUENCE_MAX) return breaks(character);
        held += character;
        if (code < 0x30) return;
        if (held === '\x1b[') state = 'csi';
        else if (/^\x1b[\]PX^_]$/.test(held)) state = 'string';
        else ends('sequence');
        return;
      case 'csi':
        if (code < 0x20 || code > 0x7e || held.length >= SEQUENCE_MAX) return breaks(character);
        held += character;
        if (code >= 0x40) ends('sequence');
        return;
      case 'string':
        if (code === 0x1b) {
          state = 'string-escape';
          return;
        }
        if (held.length >= STRING_MAX || code === 0x18 || code === 0x1a) return breaks(character);
        held += character;
        if (code === 0x07) ends('sequence');
        return;
      case 'string-escape':
        if (character === '\\') {
          held += '\x1b\\';
          return ends('sequence');
        }
        ends('broken');
        step('\x1b');
        return step(character);
    }
  }

  return {
    feed: (text) => {
      for (const character of text) step(character);
      flush();
      const done = pieces;
      pieces = [];
      return done;
    },
    end: () => {
      const rest = state === 'string-escape' ? `${held}\x1b` : held;
      held = '';
      state = 'ground';
      return rest === '' ? [] : [{ kind: 'broken', text: rest }];
    },
  };
}
