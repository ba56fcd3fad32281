// SPDX-License-Identifier: Apache-2.0
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentName, CallId } from '../identity/ids.ts';
import { imageMoves } from './image-moves.ts';

// As on the machine where this is root: the folder is holdfastd's, `new` in it the agent's.
const AS_ROOT = process.getuid!() === 0;
const HOLDFAST = 65_532;
const AGENT_UID = 65_533;

const DEMO = 'demo' as AgentName;
const CALL = 'c-0123456789abcdef' as CallId;
const OTHER = 'c-fedcba9876543210' as CallId;
const DIGEST = `sha256-${'a'.repeat(64)}`;
let dir = '';
let folder = '';
let made = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-images-'));
  chmodSync(dir, 0o711);
  folder = join(dir, DEMO);
  made = join(folder, 'new', CALL);
  mkdirSync(join(folder, 'new'), { recursive: true });
  chmodSync(folder, 0o711);
  if (AS_ROOT) {
    chownSync(folder, HOLDFAST, HOLDFAST);
    chownSync(join(folder, 'new'), AGENT_UID, HOLDFAST);
  }
  chmodSync(join(folder, 'new'), 0o2770);
});
afterEach(() => rmSync(dir, { recursive: true }));

function make(name: string, content: string): void {
  const tree = join(folder, 'new', name);
  mkdirSync(tree);
  writeFileSync(join(tree, 'file'), content);
  if (AS_ROOT) chownSync(tree, AGENT_UID, HOLDFAST);
  chmodSync(tree, 0o770);
}

/** As a user who may do no more than file modes let it. */
function asUser<T>(uid: number, what: () => T): T {
  if (!AS_ROOT) return what();
  process.setegid!(uid);
  process.seteuid!(uid);
  try {
    return what();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

const takeIn = (name: CallId = CALL) => asUser(HOLDFAST, () => imageMoves(dir).takeIn(DEMO, name, DIGEST));
const putOut = (as: CallId = CALL) => asUser(HOLDFAST, () => imageMoves(dir).putOut(DEMO, DIGEST, as));
const lying = () => [readdirSync(folder).sort(), readdirSync(join(folder, 'new')).sort()];

test('a directory gets its name where its owner cannot take it away, and goes back to be deleted', () => {
  make(CALL, 'first');
  expect(takeIn()).toEqual({ ok: true, value: null });
  expect(lying()).toEqual([['new', DIGEST].sort(), []]);
  expect(putOut(OTHER)).toEqual({ ok: true, value: null });
  expect(lying()).toEqual([['new'], [OTHER]]);
  expect(readFileSync(join(folder, 'new', OTHER, 'file'), 'utf8')).toBe('first');
});

test.runIf(AS_ROOT)('its owner can move it in `new` and no more when it has its name: EACCES', () => {
  const failure = (what: () => void): string => asUser(AGENT_UID, () => {
    try {
      what();
      return 'ok';
    } catch (fault) {
      return (fault as NodeJS.ErrnoException).code!;
    }
  });
  make(OTHER, 'first');
  expect(failure(() => rmSync(join(folder, 'new', OTHER), { recursive: true }))).toBe('ok');
  make(CALL, 'first');
  expect(takeIn().ok).toBe(true);
  expect([
    failure(() => renameSync(join(folder, DIGEST), join(folder, 'new/mine'))), failure(() => renameSync(join(folder, DIGEST), join(folder, 'gone'))),
    failure(() => symlinkSync('/', join(folder, 'link'))), failure(() => renameSync(join(folder, 'new'), join(folder, 'old'))),
  ]).toEqual(['EACCES', 'EACCES', 'EACCES', 'EACCES']);
});

test.each([
  ['a link to a directory', () => symlinkSync('.', made)],
  ['a link to nowhere', () => symlinkSync('nowhere', made)],
  ['a file', () => writeFileSync(made, 'x')],
])('%s that was put in the place of what a call made is removed, and never has the name', (_, plant) => {
  plant();
  expect(takeIn()).toMatchObject({ ok: false, error: expect.stringContaining('no directory') });
  expect(lying()).toEqual([['new'], []]);
});

test('a link that waits under the image\'s own name is in nobody\'s way', () => {
  symlinkSync('/', join(folder, 'new', DIGEST));
  make(CALL, 'first');
  expect(takeIn().ok).toBe(true);
  expect(lstatSync(join(folder, DIGEST)).isDirectory()).toBe(true);
  expect(lying()[1]).toEqual([DIGEST]);
});

test('another of the same name is refused and the first stays as it was', () => {
  make(CALL, 'first');
  takeIn();
  make(OTHER, 'second');
  expect(takeIn(OTHER)).toEqual({ ok: false, error: `${DIGEST} is there already` });
  expect(readFileSync(join(folder, DIGEST, 'file'), 'utf8')).toBe('first');
  expect(lying()[1]).toEqual([OTHER]);
});

test('what is not there is not moved', () => {
  expect(takeIn()).toMatchObject({ ok: false, error: expect.stringContaining('ENOENT') });
  expect(putOut()).toEqual({ ok: false, error: `there is no image ${DIGEST} for this agent` });
});

test.runIf(AS_ROOT)('what its owner has shut is refused, and who removes one is told what root can do: EACCES', () => {
  make(CALL, 'first');
  chmodSync(made, 0o700);
  expect(takeIn()).toMatchObject({ ok: false, error: expect.stringContaining('EACCES') });
  chmodSync(made, 0o770);
  expect(takeIn().ok).toBe(true);
  for (const shut of [join(folder, 'new'), join(folder, DIGEST)]) {
    const mode = lstatSync(shut).mode & 0o7777;
    chmodSync(shut, 0o700);
    expect(putOut()).toEqual({ ok: false, error: `EACCES: the agent's uid has shut it, or ${folder}/new; as root: rm -r ${folder}/${DIGEST}` });
    chmodSync(shut, mode);
  }
  expect(putOut().ok).toBe(true);
});
