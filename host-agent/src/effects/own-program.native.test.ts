// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planOwnProgram, type OwnProgram } from '../sandbox/own-plan.ts';
import { bundleWork, cloneWork } from '../tools/project-git.ts';
import { callRig } from './testdata/call-rig.ts';

// The real launcher, the filter of calls and the real git, of this machine's /usr: a bundle's way in and out in the sandbox that is planned for it.

const rig = callRig();
const { dir, workspace } = rig;
const NAME = '.holdfast-bundle-c-1';
const AGENT = { ceiling: { allow: [], deny: [] }, root: 'image', limits: { timeoutMs: 20_000, memoryMax: 2 ** 28, tasksMax: 64, outputMax: 65_536 } } as const;

function run(work: OwnProgram) {
  const plan = planOwnProgram(work, AGENT);
  if (!plan.ok) throw new Error(plan.error);
  const { argv, cwd, env, bindings, hidden } = plan.value;
  return rig.run(argv, { cwd, env, bindings, hidden });
}

function git(cwd: string, ...words: readonly string[]): string {
  const env = { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 't', GIT_AUTHOR_EMAIL: 't@t', GIT_COMMITTER_NAME: 't', GIT_COMMITTER_EMAIL: 't@t' };
  return execFileSync('git', words, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

const source = join(dir, 'source');
beforeAll(() => {
  mkdirSync(source);
  git(source, 'init', '-q', '-b', 'main');
  writeFileSync(join(source, 'f'), 'text\n');
  git(source, 'add', '.');
  git(source, 'commit', '-qm', 'first');
  mkdirSync(join(workspace, 'app'));
  git(source, 'bundle', 'create', '-q', join(workspace, 'app', NAME), '--all');
  writeFileSync(join(workspace, 'other'), 'CANARY');
});
afterAll(rig.close);

test('a bundle becomes a repository and a repository a bundle, in a call\'s sandbox without a network', async () => {
  expect(await run(cloneWork('app', NAME))).toMatchObject({ exit: { code: 0 }, stdout: '', stderr: '' });
  rmSync(join(workspace, 'app', NAME));
  expect(git(join(workspace, 'app'), 'show-ref', '--head')).toBe(git(source, 'show-ref', '--head'));
  expect(readFileSync(join(workspace, 'app/f'), 'utf8')).toBe('text\n');
  expect(await run(bundleWork('app', NAME))).toMatchObject({ exit: { code: 0 }, stdout: '', stderr: '' });
  expect(git(source, 'bundle', 'verify', join(workspace, 'app', NAME))).toContain('complete history');
  // Its file is new, whatever lies there.
  expect(await run(bundleWork('app', NAME))).toMatchObject({ exit: { code: 2 } });
});

test('of the workspace it sees that directory, and no part of it elsewhere', async () => {
  const look = (path: string, script: string) => run({ ...bundleWork(path, NAME), argv: ['sh', '-c', script] });
  expect(await look('app', 'ls -A /workspace; cat /workspace/other; echo x >/workspace/new; ls -A /transfer /restore; readlink /proc/self/ns/net')).toMatchObject({
    stdout: expect.stringMatching(/^app\nnet:/), stderr: expect.stringMatching(/other.*No such file(.|\n)*new.*Read-only(.|\n)*transfer(.|\n)*restore/),
  });
  symlinkSync('app', join(workspace, 'link'));
  for (const path of ['link', 'none', 'other']) expect(await look(path, 'touch here'), path).toMatchObject({ exit: { code: 126 }, stderr: expect.stringContaining('cannot enter the working directory') });
  expect([existsSync(join(workspace, 'app/here')), readdirSync(workspace).sort()]).toEqual([false, ['app', 'link', 'other']]);
});
