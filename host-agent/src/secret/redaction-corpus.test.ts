// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { redactor } from './redaction.ts';
import { dice, INNOCENT, KINDS, SHAPES, type Dice } from './testdata/corpus.ts';
import { CLAIMED, UNCLAIMED } from './testdata/spellings.ts';

// D06: recall for exact secrets and for the claimed forms, false positives, and the residue, over labelled texts. Seeds follow from the place
// in a soak, so that its portions are different texts.

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 4_000);
const FROM = Number(process.env['HOLDFAST_FROM'] ?? 0);
/** Placements with the same secrets: as many as a machine has. */
const ROUND = 2_000;
const SECRETS = 40;

type Score = { tried: number; hit: number };
type Tally = Map<string, Score>;

function score(tally: Tally, name: string, hit: boolean): void {
  const kept = tally.get(name) ?? { tried: 0, hit: 0 };
  tally.set(name, { tried: kept.tried + 1, hit: kept.hit + (hit ? 1 : 0) });
}

function whole(tally: Tally): Score {
  return [...tally.values()].reduce((sum, { tried, hit }) => ({ tried: sum.tried + tried, hit: sum.hit + hit }), { tried: 0, hit: 0 });
}

function print(title: string, tally: Tally): void {
  const rows = [...tally].map(([name, { tried, hit }]) => `  ${name.padEnd(24)} ${String(hit).padStart(8)} of ${String(tried).padStart(8)}  ${(hit / tried).toFixed(4)}`);
  console.log(`${title}\n${rows.join('\n')}`);
}

/** In two chunks, split anywhere. */
function inTwo(stream: ReturnType<ReturnType<typeof redactor>['stream']>, text: string, d: Dice): string {
  const bytes = Buffer.from(text);
  const at = d.below(bytes.length + 1);
  return Buffer.concat([stream.push(bytes.subarray(0, at)), stream.push(bytes.subarray(at)), stream.end()]).toString();
}

it(`finds exact secrets and the claimed forms in ${COUNT} texts, and nothing in as many without`, () => {
  const [found, falsely, residue]: Tally[] = [new Map(), new Map(), new Map()];
  const missed: string[] = [];
  for (let done = 0; done < COUNT; done += ROUND) {
    const d = dice(FROM + done + 1);
    const secrets = Array.from({ length: SECRETS }, (_, at) => ({ name: `S${at}`, text: SHAPES[at % SHAPES.length]!(d) }));
    const redact = redactor(secrets.map(({ name, text }) => ({ name, value: Buffer.from(text) })));
    for (let turn = 0; turn < Math.min(ROUND, COUNT - done); turn += 1) {
      const { name, text: secret } = d.of(secrets);
      const kind = d.of(Object.keys(KINDS));
      // A third of all texts hold the secret as it is.
      const form = d.below(3) === 0 ? CLAIMED[0]! : d.of(CLAIMED);
      if (form.fits === undefined || form.fits(secret)) {
        const spelled = form.spell(secret);
        const text = KINDS[kind]!(d, spelled);
        const clean = redact.texts([text]);
        const gone = clean.found.includes(name) && !clean.texts[0]!.includes(spelled) && !clean.texts[0]!.includes(secret);
        score(found!, form.name, gone && inTwo(redact.stream(), text, d) === clean.texts[0]);
        if (!gone) missed.push(`${form.name} of ${secret} in ${kind}: ${text}`);
      }

      const like = d.of(Object.keys(INNOCENT));
      const innocent = KINDS[kind]!(d, INNOCENT[like]!(d, secret));
      // What happens to hold one all the same is no false find.
      if (!secrets.some(({ text }) => innocent.toLowerCase().includes(text.toLowerCase()))) score(falsely!, like, redact.text(innocent) !== innocent);

      if (turn % 10 === 0) {
        const hidden = d.of(UNCLAIMED);
        score(residue!, hidden.name, redact.texts([KINDS[kind]!(d, hidden.spell(secret))]).found.includes(name));
      }
    }
    redact.wipe();
  }
  print('found, by form', found!);
  print('falsely found, by what stood there', falsely!);
  print('residue: found although not claimed', residue!);
  const [recall, wrong] = [whole(found!), whole(falsely!)];
  console.log(`recall ${(recall.hit / recall.tried).toFixed(6)} (${recall.tried} texts), false positives ${(wrong.hit / wrong.tried).toFixed(6)} (${wrong.tried} texts)`);
  expect(missed.slice(0, 5)).toEqual([]);
  for (const [name, { tried, hit }] of found!) expect(hit / tried, name).toBeGreaterThanOrEqual(0.99);
  expect(wrong.hit / wrong.tried).toBeLessThan(0.001);
});
