// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { imagesBelowDisks, machineIn, putAside, stampImage } from './machine-folder.ts';

let cache = '';
let dir = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'holdfast-machine-folder-'));
  dir = join(cache, 'machine');
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

function machine(disk: string, key: string | null): void {
  mkdirSync(dir);
  writeFileSync(join(dir, 'disk.qcow2'), disk);
  if (key !== null) stampImage(dir, key);
}
const diskOf = (folder: string): string => readFileSync(join(folder, 'disk.qcow2'), 'utf8');

test('a disk that came up is known with its image; one that never did is none', () => {
  expect(machineIn(dir, 'a')).toBe('none');
  machine('one', null);
  expect(machineIn(dir, 'a')).toBe('none');
  stampImage(dir, 'a');
  expect(machineIn(dir, 'a')).toBe('this image');
  expect(machineIn(dir, 'b')).toBe('another image');
});

test('the disk of an older image is put aside whole; one such folder is kept, and that another went is told', () => {
  machine('one', 'a');
  expect(putAside(dir)).toEqual({ aside: `${dir}.old`, replaced: false });
  expect(diskOf(`${dir}.old`)).toBe('one');
  expect(machineIn(dir, 'b')).toBe('none');
  machine('two', 'b');
  expect(putAside(dir)).toEqual({ aside: `${dir}.old`, replaced: true });
  expect(diskOf(`${dir}.old`)).toBe('two');
});

test('the images below both disks are named, so that they are not forgotten', () => {
  expect(imagesBelowDisks(cache)).toEqual([]);
  machine('one', 'a');
  putAside(dir);
  machine('two', 'b');
  expect(imagesBelowDisks(cache)).toEqual(['b', 'a']);
});
