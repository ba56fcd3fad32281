// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SHIPPED = new URL('../../rootfs-overlay/usr/lib/holdfast/', import.meta.url).pathname;
const MAIN = new URL('main.ts', import.meta.url).pathname;

let root = '';
beforeEach(() => {
  // Files that their group can write are refused, and so a developer's umask must not decide here.
  process.umask(0o022);
  root = mkdtempSync(join(tmpdir(), 'holdfast-roles-'));
  for (const part of ['types', 'agents.d']) {
    mkdirSync(join(root, 'usr/lib/holdfast', part), { recursive: true });
    for (const name of readdirSync(join(SHIPPED, part))) {
      writeFileSync(join(root, 'usr/lib/holdfast', part, name), readFileSync(join(SHIPPED, part, name)));
    }
  }
  mkdirSync(join(root, 'var/lib/holdfast/agents.d'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function role(name: string): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [MAIN, name, '--root', root], { encoding: 'utf8', timeout: 30_000 });
}

test('holdfast-declare ends well with one bad file beside a good one, and says where on stderr', () => {
  const bad = join(root, 'var/lib/holdfast/agents.d/bad.yaml');
  writeFileSync(bad, 'name: bad\ntype: task\ncolour: red\n');
  const done = role('holdfast-declare');
  expect(done).toMatchObject({ status: 0, stderr: `${bad}:3: unknown key "colour"; remove it or correct its spelling\n` });
  const declared = JSON.parse(readFileSync(join(root, 'run/holdfast/declared/agents.json'), 'utf8'));
  expect(declared.agents.map((agent: { name: string }) => agent.name)).toEqual(['demo']);
});

test('with nothing but a bad file it fails, and the list of agents is empty', () => {
  writeFileSync(join(root, 'usr/lib/holdfast/agents.d/demo.yaml'), 'name: [');
  expect(role('holdfast-declare').status).toBe(1);
  expect(JSON.parse(readFileSync(join(root, 'run/holdfast/declared/agents.json'), 'utf8')).agents).toEqual([]);
});

test('holdfast-seed without a seed lets nobody in and is no failure; without its partition it is one', () => {
  mkdirSync(join(root, 'run/holdfast-safe'), { recursive: true });
  const free = role('holdfast-seed');
  expect([free.status, free.stderr]).toEqual(
    [0, 'holdfast-seed: no seed could be used and none claimed this machine before: nobody can log in\n'],
  );
  rmSync(join(root, 'run/holdfast-safe'), { recursive: true });
  expect(role('holdfast-seed').status).toBe(1);
  expect(readdirSync(join(root, 'run/ssh-keys'))).toEqual([]);
});
