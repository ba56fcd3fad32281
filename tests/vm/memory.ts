// SPDX-License-Identifier: Apache-2.0
// Who on the machine holds a text in memory, past every guard: root's look, page by page.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../image/host/workplace.ts';
import { root } from './machine.ts';

/** A process; `environ` and `memory` are the numbers of the texts that it holds there. `fault`: it could not be read, mostly for it has ended. */
export type Held = { readonly pid: number; readonly unit: string; readonly name: string; readonly environ: readonly number[]; readonly memory: readonly number[]; readonly bytes: number; readonly fault?: string };

/** What the processes of a control group, and of those below it, hold of the texts. */
export function heldBy(group: string, texts: readonly string[]): readonly Held[] {
  const program = '/run/test-held.py';
  root(`cat >${program}`, readFileSync(join(repository, 'tests/vm/probe/held.py'), 'utf8'));
  const out = root(`python3 -I ${program} ${group}; rm ${program}`, `${texts.join('\n')}\n`);
  return out.trim().split('\n').map((line) => JSON.parse(line) as Held);
}

/** The units of all processes that hold one of the texts, but for sessions of ssh: the texts come in by one, and what is looked for as a control is in one. */
export function unitsHolding(texts: readonly string[]): readonly string[] {
  const holder = root("python3 -I -c 'import sys, time; held = sys.stdin.read(); sys.stdout.close(); time.sleep(600)' </dev/stdin >/dev/null 2>&1 & sleep 2; echo $!", texts[0]).trim();
  try {
    const read = heldBy('/', texts).filter(({ fault }) => fault === undefined);
    const having = read.filter(({ environ, memory }) => environ.length + memory.length > 0);
    // The control: what looks sees every process, and finds what is there.
    if (read.length < 20 || !having.some(({ pid }) => pid === Number(holder))) throw new Error(`only ${read.length} processes were read, or what holds the text was not found`);
    return [...new Set(having.map(({ unit }) => unit))].filter((unit) => !/^(?:session-|ssh)/.test(unit)).toSorted();
  } finally {
    root(`kill ${holder}`);
  }
}
