// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import {
  lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirectory, namesIn, readOwnedFile, replaceFile, replaceLink, withDirectory, withMadeDirectory } from './rooted-files.ts';

const SELF = process.geteuid?.() ?? 0;
let root = '';
beforeEach(() => {
  process.umask(0o022);
  root = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function read(name: string): ReturnType<typeof readOwnedFile> {
  return withDirectory(root, `${root}/d`, (d) => readOwnedFile(d, name, 100, [SELF]));
}

test('a folder is reached by its own names only: a link in any step is refused, also when making', () => {
  withMadeDirectory(root, `${root}/a/b/c`, () => undefined);
  expect(withDirectory(root, `${root}/a/b`, namesIn)).toEqual(['c']);
  symlinkSync(join(root, 'a'), join(root, 'link'));
  for (const open of [withDirectory, withMadeDirectory]) {
    expect(() => open(root, `${root}/link/b`, () => undefined)).toThrow(/ENOTDIR|ELOOP/);
    expect(() => open(root, `${root}/a/../etc`, () => undefined)).toThrow('not a single file name');
    expect(() => open(root, '/etc', () => undefined)).toThrow('does not lie under the root');
  }
});

test('a replaced file is whole, of its mode, and leaves no draft; a link in its place is replaced, not followed', () => {
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'victim'), 'kept');
  symlinkSync(join(root, 'victim'), join(root, 'd/f'));
  withDirectory(root, `${root}/d`, (d) => replaceFile(d, 'f', 'new', { mode: 0o640, durable: true }));
  expect([readFileSync(join(root, 'd/f'), 'utf8'), lstatSync(join(root, 'd/f')).mode & 0o777]).toEqual(['new', 0o640]);
  expect([readFileSync(join(root, 'victim'), 'utf8'), readdirSync(join(root, 'd'))]).toEqual(['kept', ['f']]);
  withDirectory(root, `${root}/d`, (d) => replaceLink(d, 'l', 'f'));
  withDirectory(root, `${root}/d`, (d) => replaceLink(d, 'l', 'f'));
  expect(readdirSync(join(root, 'd'))).toEqual(['f', 'l']);
});

test('a file that cannot be put in place leaves the old one and no draft', () => {
  mkdirSync(join(root, 'd/f'), { recursive: true });
  expect(() => withDirectory(root, `${root}/d`, (d) => replaceFile(d, 'f', 'new', { mode: 0o644 }))).toThrow(/EISDIR|EEXIST|ENOTEMPTY/);
  expect(readdirSync(join(root, 'd'))).toEqual(['f']);
});

test('only a small regular file of a known owner is read, and nothing waits for a writer', () => {
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/good'), 'good');
  writeFileSync(join(root, 'd/huge'), '');
  truncateSync(join(root, 'd/huge'), 200 * 1024 ** 2);
  execFileSync('mkfifo', [join(root, 'd/fifo')]);
  expect(read('good')).toMatchObject({ ok: true, bytes: Buffer.from('good') });
  expect(read('huge')).toMatchObject({ ok: false, message: expect.stringContaining('larger') });
  expect(read('fifo')).toMatchObject({ ok: false, message: 'it is not a regular file' });
  expect(read('none')).toMatchObject({ ok: false, missing: true });
  expect(withDirectory(root, `${root}/d`, (d) => readOwnedFile(d, 'good', 100, [SELF + 1]))).toMatchObject({ ok: false, missing: false });
});

test('a folder is given exactly the mode that was asked for', () => {
  for (const mode of [0o700, 0o2750, 0o755]) {
    makeDirectory(root, `${root}/m`, mode, null);
    expect(statSync(join(root, 'm')).mode & 0o7777).toBe(mode);
  }
});
