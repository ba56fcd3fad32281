// SPDX-License-Identifier: Apache-2.0
import { formsOf, MIN_SECRET_BYTES } from './forms.ts';
import { phraseFinder, type PhraseFinder } from './phrase-finder.ts';
import { readingsOf } from './readings.ts';
import { removals } from './removals.ts';

export type NamedSecret = { readonly name: string; readonly value: Uint8Array };
/** Gives back what is decided of the text, each time a chunk comes, and the rest at the end. */
export type RedactionStream = {
  readonly push: (chunk: Uint8Array) => Uint8Array;
  readonly end: () => Uint8Array;
  /** The names that were removed until now. */
  readonly found: () => readonly string[];
  /** Bytes that wait for what follows them. */
  readonly held: () => number;
};
export type Redactor = {
  readonly bytes: (whole: Uint8Array) => Uint8Array;
  readonly text: (whole: string) => string;
  readonly texts: (wholes: readonly string[]) => { readonly texts: readonly string[]; readonly found: readonly string[] };
  readonly stream: () => RedactionStream;
  /** So many were too short to be looked for (MIN_SECRET_BYTES). */
  readonly ignored: number;
  /** Steps of the finder until now. */
  readonly steps: () => number;
  /** What is looked for can be read back from the tables. Nothing can be redacted afterwards. */
  readonly wipe: () => void;
};

/** What a secret's name may be, so that its mark can stand in a JSON string, in a header and in a line of a log. */
const NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/**
 * Removes secrets from texts (R46, R58, D06), and the forms in which they leave a program by accident: base64 and base64url wherever they
 * begin, hex, percent signs, escapes of JSON and HTML, with line breaks in them, reversed, in other case, and most pairs of these.
 *
 * It is a net for accidents and for clumsy thieves. It is no wall: whoever holds a secret can write it in a way that nobody looks for
 * (compressed, encrypted, in base32, one letter a line). What keeps a secret from an agent is that the agent never holds it.
 */
export function redactor(secrets: readonly NamedSecret[]): Redactor {
  const usable = secrets.filter(({ value }) => value.length >= MIN_SECRET_BYTES);
  for (const { name } of usable) if (!NAME.test(name)) throw new Error('a secret has a name that cannot stand in a mark');
  const phrases = usable.flatMap(({ value }, owner) => formsOf(value).map((bytes) => ({ bytes, owner })));
  const finder = phraseFinder(phrases);
  for (const { bytes } of phrases) if (!usable.some(({ value }) => value === bytes)) bytes.fill(0);
  const marks = usable.map(({ name }) => new TextEncoder().encode(`[secret ${name} removed]`));
  let wiped = false;

  function stream(): RedactionStream {
    if (wiped) throw new Error('this redactor was wiped');
    if (usable.length === 0) return untouched();
    return openStream(finder, marks, usable);
  }

  function all(whole: Uint8Array): { readonly bytes: Uint8Array; readonly found: readonly string[] } {
    const { push, end, found } = stream();
    const begin = push(whole);
    const rest = end();
    if (found().length === 0) return { bytes: whole, found: [] };
    const bytes = new Uint8Array(begin.length + rest.length);
    bytes.set(begin);
    bytes.set(rest, begin.length);
    return { bytes, found: found() };
  }

  function texts(wholes: readonly string[]): { readonly texts: readonly string[]; readonly found: readonly string[] } {
    const found = new Set<string>();
    const clean = wholes.map((text) => {
      // Shorter than any form can be.
      if (text.length < MIN_SECRET_BYTES) return text;
      const done = all(new TextEncoder().encode(text));
      for (const name of done.found) found.add(name);
      return done.found.length === 0 ? text : new TextDecoder().decode(done.bytes);
    });
    return { texts: clean, found: [...found].sort() };
  }

  return {
    bytes: (whole) => all(whole).bytes,
    text: (whole) => texts([whole]).texts[0]!,
    texts,
    stream,
    ignored: secrets.length - usable.length,
    steps: finder.steps,
    wipe: () => {
      wiped = true;
      finder.wipe();
    },
  };
}

function openStream(finder: PhraseFinder, marks: readonly Uint8Array[], secrets: readonly NamedSecret[]): RedactionStream {
  const names = new Set<string>();
  const text = removals((owner) => marks[owner]!);
  const readings = readingsOf(finder, (start, end, owner) => {
    names.add(secrets[owner]!.name);
    text.found(start, end, owner);
  });
  let at = 0;
  return {
    push: (chunk) => {
      text.add(chunk);
      for (let index = 0; index < chunk.length; index += 1) readings.take(chunk[index]!, at + index);
      at += chunk.length;
      return text.take(Math.min(at, readings.beginsFrom()), false);
    },
    end: () => {
      readings.end();
      return text.take(at, true);
    },
    found: () => [...names].sort(),
    held: text.held,
  };
}

function untouched(): RedactionStream {
  return { push: (chunk) => chunk, end: () => new Uint8Array(0), found: () => [], held: () => 0 };
}
