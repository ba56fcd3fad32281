// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { accept } from '../identity/result.ts';
import { appArmorPolicy, type AppArmorPolicy } from './apparmor-policy.ts';

// Files as the kernel shows them; the kernel's own are read in tests/vm/kernel-truth.test.ts.
let dir = '';
let policy: AppArmorPolicy;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'policy-'));
  put('built/979b3ac6.0/a', 'policy of a');
  put('kernel/revision', '7');
  load('a', 'enforce', 'policy of a');
  policy = appArmorPolicy(join(dir, 'kernel'), join(dir, 'built'));
});

afterEach(() => rmSync(dir, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(join(dir, path, '..'), { recursive: true });
  writeFileSync(join(dir, path), text);
}

function load(profile: string, mode: string, policyText: string): void {
  put(`kernel/policy/profiles/${profile}.3/mode`, `${mode}\n`);
  put(`kernel/policy/profiles/${profile}.3/raw_sha256`, `${createHash('sha256').update(policyText).digest('hex')}\n`);
}

const said = (profile = 'a') => {
  const answer = policy.enforces(profile);
  return answer.ok ? 'enforces' : answer.error;
};

test('a profile of the image that is loaded and enforces', () => {
  expect(policy.enforces('a')).toEqual(accept(null));
});

test.each([
  ['complains', () => load('a', 'complain', 'policy of a'), 'profile a does not enforce: its mode is complain'],
  ['confines nothing', () => load('a', 'unconfined', 'policy of a'), 'profile a does not enforce: its mode is unconfined'],
  ['is another', () => load('a', 'enforce', 'another'), 'profile a was replaced: it is not the one of this image'],
  ['is gone', () => rmSync(join(dir, 'kernel/policy/profiles/a.3'), { recursive: true }), 'profile a is not loaded'],
  ['cannot be read', () => rmSync(join(dir, 'kernel/policy/profiles/a.3/mode')), 'cannot be looked at'],
])('one that %s is not believed, from the moment the kernel counts a change', (_, change, why) => {
  expect(said()).toBe('enforces');
  change();
  put('kernel/revision', '8');
  expect(said()).toContain(why);
});

test('a name that only begins the same is another profile', () => {
  load('ab', 'enforce', 'policy of a');
  expect([said('ab'), said('a.3'), said('')]).toEqual(['profile ab was replaced: it is not the one of this image', 'profile a.3 is not loaded', 'profile  is not loaded']);
});

test('without AppArmor no profile enforces', () => {
  rmSync(join(dir, 'kernel'), { recursive: true });
  expect(said()).toContain("AppArmor's policy cannot be read");
});
