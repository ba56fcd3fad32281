// SPDX-License-Identifier: Apache-2.0
// What npm installs is pinned to the byte, and where it comes from is the building machine's own business.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

type Lock = { packages: Record<string, { resolved?: string; integrity?: string; link?: boolean; inBundle?: boolean }> };
const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const lockfiles = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*package-lock.json'], { cwd: repository, encoding: 'utf8' }).trim().split('\n');

it('there are the lockfiles of the product, of the third-party clients and of the recipes', () => {
  expect(lockfiles.toSorted()).toEqual(['package-lock.json', ...['claude-code', 'codex', 'opencode'].map((name) => `recipes/${name}/package-lock.json`), 'tests/vm/clients/package-lock.json']);
});

// What a package brings along (inBundle) is under that package's own digest.
it.each(lockfiles)('%s names no address, and a digest for each package', (file) => {
  const { packages } = JSON.parse(read(file)) as Lock;
  const installed = Object.entries(packages).filter(([path]) => path !== '');
  expect(installed.length).toBeGreaterThan(0);
  expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  expect(installed.filter(([, { integrity, inBundle }]) => integrity === undefined && inBundle !== true).map(([path]) => path)).toEqual([]);
});

it.each(lockfiles.map(dirname))('%s pins what it asks for, under the rules of the root', (dir) => {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(read(join(dir, 'package.json'))) as Record<string, Record<string, string>>;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) expect(version, name).toMatch(/^(npm:@?[\w./-]+@)?\d+\.\d+\.\d+[\w.-]*$/);
  expect(read(join(dir, '.npmrc'))).toBe(read('.npmrc'));
});
