// SPDX-License-Identifier: Apache-2.0
// docs/attacks.md names every case of hostile agents, of secrets and of the network, and the tests that show it: no case without a row, no title that no test has.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const SECTION = 'C01 C02 C04 C05 C06 C08 C09 C10 C12 C13 C14 C16 C17 C18 C20 C21 C22 C24 B12 B13 B22 D01 D02 D04 D05 D06 D08 D09 D10 D12 D13 F01 F02 F04 F05 F06 F08 F09 F10 F12 F13'.split(' ');

type Row = { readonly id: string; readonly tries: string; readonly heldBy: string; readonly shown: readonly (readonly [file: string, title: string])[] };

const rows: readonly Row[] = readFileSync(join(repository, 'docs/attacks.md'), 'utf8').split('\n').filter((line) => /^\| [A-G]\d\d \|/.test(line)).map((line) => {
  const [id, tries, heldBy, tests] = line.split('|').slice(1, 5).map((cell) => cell.trim()) as [string, string, string, string];
  const shown = [...tests.matchAll(/([\w./-]+\.test\.ts) › (.+?)(?=; [\w./-]+\.test\.ts › |\. [A-Z]|$)/g)].map(([, file, title]) => [file!.includes('/') ? file! : `tests/vm/${file!}`, title!] as const);
  return { id, tries, heldBy, shown };
});

const textOf = (file: string) => (existsSync(join(repository, file)) ? readFileSync(join(repository, file), 'utf8').replaceAll("\\'", "'") : '');

describe('docs/attacks.md', () => {
  it('has a row for each case, once, that says what is tried and what holds it', () => {
    expect(rows.map(({ id }) => id)).toEqual(SECTION);
    for (const { id, tries, heldBy, shown } of rows) {
      expect([tries, heldBy].every((cell) => cell.length > 10), id).toBe(true);
      expect(shown.length, id).toBeGreaterThan(0);
    }
  });

  it('points at tests that are there', () => {
    const missing = rows.flatMap(({ id, shown }) => shown.filter(([file, title]) => !textOf(file).includes(title)).map((at) => `${id}: ${at.join(' › ')}`));
    expect(missing).toEqual([]);
  });

  it('names each test in the machine that names such a case', () => {
    const files = readdirSync(join(repository, 'tests/vm')).filter((name) => name.endsWith('.test.ts'));
    const unnamed = files.flatMap((name) => {
      const ids = [...textOf(`tests/vm/${name}`).matchAll(/\b[BCDF]\d\d\b/g)].map(([id]) => id).filter((id) => SECTION.includes(id));
      return [...new Set(ids)].filter((id) => !rows.find((row) => row.id === id)!.shown.some(([file]) => file === `tests/vm/${name}`)).map((id) => `${name}: ${id}`);
    });
    expect(unnamed).toEqual([]);
  });
});
