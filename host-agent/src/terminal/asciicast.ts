// SPDX-License-Identifier: Apache-2.0
import type { TerminalSize } from '../sandbox/permit.ts';

// asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header, then one event a line. Any player shows it, and plays what it finds:
// a transcript holds what an agent's program wrote, escape sequences and all.

export type CastHead = TerminalSize & {
  readonly title: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly env: Readonly<Record<string, string>>;
};

export function castHead({ columns, rows, timestamp, title, env }: CastHead): string {
  return `${JSON.stringify({ version: 2, width: columns, height: rows, timestamp, title, env })}\n`;
}

/** `o`: shown by the program. `i`: typed by the agent. `m`: a word of ours. */
export function castEvent(sinceMs: number, code: 'o' | 'i' | 'm', text: string): string {
  return `[${(sinceMs / 1000).toFixed(3)}, "${code}", ${inert(text)}]\n`;
}

/** JSON leaves the controls of eight bits as they are, and a file is sometimes just printed. */
function inert(text: string): string {
  return JSON.stringify(text).replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`);
}
