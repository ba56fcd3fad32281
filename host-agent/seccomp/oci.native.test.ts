// SPDX-License-Identifier: Apache-2.0
// The containers' profile through the library with which crun reads it, of the same Debian as the image's.
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runInTools } from '../../image/host/workplace.ts';
import { instructionsOf, run } from './bpf-machine.ts';
import { compile } from './bpf.ts';
import { ociProfile } from './oci.ts';
import { tries } from './testdata/tries.ts';
import { readFilter, readNumbers } from './write-filters.ts';

const dir = mkdtempSync(join(tmpdir(), 'holdfast-oci-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('what libseccomp makes of the containers\' profile answers as our own BPF does', async () => {
  const numbers = readNumbers();
  const filter = readFilter('container');
  writeFileSync(join(dir, 'seccomp.json'), JSON.stringify(ociProfile(filter)));
  const script = join(import.meta.dirname, 'testdata/libseccomp-bpf.py');
  await runInTools([dir, import.meta.dirname], ['python3', script, join(dir, 'seccomp.json')], { log: openSync(join(dir, 'out'), 'w') });
  const out = readFileSync(join(dir, 'out'));
  const end = out.indexOf('\n');
  // What it does not know it leaves to the default, as a runtime does.
  const unknown = out.subarray(0, end).toString().split(' ').filter((name) => name !== '');
  expect(unknown.length).toBeLessThan(20);
  const passedOver = new Set(unknown.map((name) => numbers.get(name)));
  const theirs = instructionsOf(out.subarray(end + 1));
  const ours = compile(filter, numbers);
  const wrong: string[] = [];
  let asked = 0;
  for (const call of tries(filter, numbers)) {
    if (passedOver.has(call.nr)) continue;
    asked += 1;
    const [a, b] = [run(theirs, call), run(ours, call)];
    if (a !== b) wrong.push(`${call.native} ${call.nr} ${call.args.join(',')}: ${a}, not ${b}`);
  }
  expect([wrong.slice(0, 20), wrong.length]).toEqual([[], 0]);
  expect(asked).toBeGreaterThan(10_000);
});
