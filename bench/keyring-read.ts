// SPDX-License-Identifier: Apache-2.0
// What it costs to have a value in the kernel's keyring and not in memory: reading it for one use, against reading as many bytes from a file
// in memory, which is as many system calls and a copy.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from '../host-agent/native/build-once.ts';
import { processKeyring } from '../host-agent/src/effects/process-keyring.ts';
import { report, type Figure } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 20);
const PER_ROUND = 2_000;

buildNative();
const keyring = processKeyring();
const folder = mkdtempSync('/dev/shm/holdfast-bench-');

/** Microseconds of one turn, of many in a row. */
function each(turn: () => void): number {
  const start = process.hrtime.bigint();
  for (let n = 0; n < PER_ROUND; n += 1) turn();
  return Number(process.hrtime.bigint() - start) / 1000 / PER_ROUND;
}

function figure(length: number): Figure {
  const value = Buffer.alloc(length, 'k');
  const serial = keyring.keep(value);
  const file = join(folder, String(length));
  writeFileSync(file, value);
  const fromFile = (): void => {
    const bytes = Buffer.from(new ArrayBuffer(length));
    const fd = openSync(file, 'r');
    readSync(fd, bytes, 0, length, 0);
    closeSync(fd);
    bytes.fill(0);
  };
  const fromKeyring = (): void => void keyring.read(serial).fill(0);
  const [ours, floor]: [number[], number[]] = [[], []];
  for (let round = -1; round < ROUNDS; round += 1) {
    const times = [each(fromKeyring), each(fromFile)] as const;
    if (round < 0) continue;
    ours.push(times[0]);
    floor.push(times[1]);
  }
  keyring.drop(serial);
  return { name: `a value of ${length} bytes, read from the process keyring and wiped`, unit: 'us', samples: ours, floor: { name: 'the same from a file in memory', samples: floor }, goal: null };
}

try {
  report([64, 16 * 1024].map(figure));
} finally {
  rmSync(folder, { recursive: true });
}
