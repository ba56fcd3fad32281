// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const src = join(repository, 'host-agent/src');

// JSON.parse keeps the last of two equal keys, and in V8 12.8 to at least 14.6 can read the key "\n" or "\"" as "\" (nodejs/node#63785).
// So nothing that an agent had a hand in is parsed by it. Each exception says why it cannot matter there.
const ALLOWED: Readonly<Record<string, string>> = {
  'door/strict-json.ts': 'one string literal that was checked character by character: no keys',
  'ledger/read-canonical.ts': 'one string literal: no keys',
  'config/slots.ts': "holdfast-seed's and holdfast-declare's own record, root's alone to write; a schema refuses every other key",
  'config/claim.ts': "holdfast-seed's own record, root's alone to write; a schema refuses every other key",
  'capability/grant-file.ts': "holdfastd's own record: fixed keys, all others refused; what a person wrote stands in values",
};

/** Whoever gives the global another name is found too. */
const PARSES = /\bJSON\s*(?:\.(?!stringify\b)|\[)|=\s*JSON\b(?!\.)/;

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !/\.test\.ts$|\.contract\.ts$|(^|\/)testdata\//.test(name));
const using = files.filter((name) => PARSES.test(withoutComments(readFileSync(join(src, name), 'utf8'))));

describe('who reads JSON', () => {
  it('finds a use, and no word in a comment or a text', () => {
    const found = (text: string): boolean => PARSES.test(withoutComments(text));
    expect(found('const x = JSON.parse(y);')).toBe(true);
    expect(found("const x = JSON['parse'](y);")).toBe(true);
    expect(found('const { parse } = JSON; // not JSON\n')).toBe(true);
    expect(found("refuse('not JSON'); /* JSON.parse */ // JSON.parse\nJSON.stringify(1)")).toBe(false);
  });

  it('is our own parser, but for the places named here', () => {
    expect(using.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
  });
});
