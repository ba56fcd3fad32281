// SPDX-License-Identifier: Apache-2.0

// How text is written so that systemd reads exactly it (systemd.syntax(7), systemd.service(5) COMMAND LINES, systemd.unit(5) SPECIFIERS).
// Whatever cannot be written is a fault here: the parsers in front of this file refuse it with a line number.

const CONTROL = /[\0-\x1f\x7f-\x9f\u2028\u2029]|\p{Surrogate}/u;
const PLAIN_PATH = /^(\/[A-Za-z0-9_+@.-]+)+$/;

/** One word of ExecStart=. Always quoted, so that a lone `;` or an empty word stays a word. */
function execWord(word: string): string {
  if (CONTROL.test(word)) throw new Error('cannot write a control character into a unit');
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', () => '$$');
  return `"${escaped}"`;
}

/** The program itself: no variable is expanded there and a prefix such as `+` would raise privileges, so only plain paths pass. */
export function execLine(words: readonly string[]): string {
  const [program, ...rest] = words;
  return [plainPath(program ?? ''), ...rest.map(execWord)].join(' ');
}

export function plainPath(path: string): string {
  const plain = PLAIN_PATH.test(path) && !path.split('/').includes('..');
  if (!plain) throw new Error(`cannot write the path ${JSON.stringify(path)} into a unit`);
  return path;
}

/** One word of Environment=: C-style escapes and specifiers are read there, `$` is not (systemd.exec(5)). */
export function environmentWord(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`cannot write the variable ${JSON.stringify(name)} into a unit`);
  if (CONTROL.test(value)) throw new Error('cannot write a control character into a unit');
  return `"${name}=${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;
}

export function section(name: string, lines: readonly (readonly [string, string])[]): string {
  return `[${name}]\n${lines.map(([key, value]) => `${key}=${value}\n`).join('')}`;
}
