// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { accept, refuse } from '../identity/result.ts';
import { type Claim, decideClaim, type Offer, parseClaim, printClaim } from './claim.ts';
import { parseSeed } from './seed-file.ts';

const [ONE = '', TWO = ''] = readFileSync(new URL('testdata/public-keys.txt', import.meta.url), 'utf8').split('\n');
const person = (name: string, key: string): string => `  - {name: ${name}, roles: [ops], keys: ["${key}"]}\n`;
function offer(text: string, digest: string): Offer {
  return { digest: digest.repeat(64), parsed: parseSeed(Buffer.from(text), null, new Set()) };
}
const FIRST = offer(`operators:\n${person('alice', ONE)}${person('bob', TWO)}`, 'a');
const OTHER = offer(`operators:\n${person('mallory', ONE)}`, 'b');
const BROKEN = offer('operators:\n  - {name: mallory}\n', 'c');

function claimOf(): Claim {
  const { claim } = decideClaim(accept(null), FIRST);
  if (claim === null) throw new Error('the first seed did not claim');
  return claim;
}

test('the first seed claims the machine and gives each operator a uid that stays', () => {
  const { result, claim } = decideClaim(accept(null), FIRST);
  expect(result).toEqual({ state: 'claimed', digest: FIRST.digest, offered: FIRST.digest, problems: [] });
  expect(claim?.operators.map(({ name, uid }) => [name, uid])).toEqual([['alice', 30200], ['bob', 30201]]);
  expect(parseClaim(printClaim(claimOf()))).toEqual(accept(claim));
});

test('the same seed again, or none, changes nothing', () => {
  for (const again of [FIRST, null]) {
    expect(decideClaim(accept(claimOf()), again)).toMatchObject({ result: { state: 'same', digest: FIRST.digest }, claim: claimOf() });
  }
});

test('a later seed, whole or broken, is ignored and reported (R107)', () => {
  expect(decideClaim(accept(claimOf()), OTHER)).toMatchObject(
    { result: { state: 'ignored', digest: FIRST.digest, offered: OTHER.digest, problems: [] }, claim: claimOf() },
  );
  expect(decideClaim(accept(claimOf()), BROKEN)).toMatchObject({ result: { state: 'ignored', problems: [{}, {}] }, claim: claimOf() });
});

test('no seed, or a broken first one, lets nobody in', () => {
  expect(decideClaim(accept(null), null)).toEqual(
    { result: { state: 'unclaimed', digest: null, offered: null, problems: [] }, claim: null },
  );
  const broken = decideClaim(accept(null), BROKEN);
  expect(broken).toMatchObject({ result: { state: 'unclaimed', digest: null }, claim: null });
  expect(broken.result.problems[0]).toEqual({ file: 'holdfast.seed', line: 2, message: 'operators[1].roles is missing' });
});

test('a record that cannot be read lets nobody in, and no seed claims in its place', () => {
  expect(decideClaim(refuse('torn'), OTHER)).toMatchObject(
    { result: { state: 'unreadable', digest: null, problems: [{ message: 'torn' }] }, claim: null },
  );
});

const TEXT = printClaim(claimOf());
test.each([
  ['cut off', TEXT.slice(0, -20)],
  ['empty', ''],
  ['an unknown field', TEXT.replace('"v": 1', '"v": 1, "x": 1')],
  ['another version', TEXT.replace('"v": 1', '"v": 2')],
  ['an operator called root', TEXT.replace('"alice"', '"root"')],
  ['a name that is a path', TEXT.replace('"alice"', '"../x"')],
  ['the uid of root', TEXT.replace('30200', '0')],
  ['one uid twice', TEXT.replace('30201', '30200')],
  ['a key with an option', TEXT.replace('"ssh-ed25519', '"command=sh ssh-ed25519')],
  ['a key with a second line', TEXT.replace('ed25519-1', 'x\\nssh-rsa AAAA')],
])('a record that is %s is refused', (_, text) => {
  expect(text).not.toBe(TEXT);
  expect(parseClaim(text).ok).toBe(false);
});
