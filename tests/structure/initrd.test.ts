// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const initrd = join(import.meta.dirname, '../../image/mkosi.images/initrd');
const init = join(initrd, 'mkosi.extra/init');

describe('the initrd', () => {
  const text = readFileSync(init, 'utf8').replaceAll(/^\s*#.*$/gm, '');
  const kept = /programs=\(([^)]*)\)/.exec(readFileSync(join(initrd, 'mkosi.finalize.chroot'), 'utf8'))![1]!;
  const programs = kept.replaceAll(/#.*$/gm, '').trim().split(/\s+/);

  it('starts with a program that bash can read', () => {
    execFileSync('bash', ['-n', init]);
    expect(readFileSync(init, 'utf8').split('\n')[0]).toBe('#!/bin/bash');
  });

  it('keeps no program that nothing in it runs', () => {
    const byOthers = ['bash', 'mkfs.ext4', 'mkfs.xfs'];
    expect(programs.length).toBeGreaterThan(8);
    for (const program of programs.filter((name) => !byOthers.includes(name))) expect(text, program).toMatch(new RegExp(`(^|[\\s($])${program} `, 'm'));
  });

  it('guards the kernel command line before it looks at any disk, and has no shell for the console', () => {
    const at = (words: string) => {
      const place = text.search(new RegExp(`^${words}`, 'm'));
      expect(place, words).toBeGreaterThan(0);
      return place;
    };
    expect(at('guard_command_line$')).toBeLessThan(at('modprobe '));
    expect(at('guard_command_line$')).toBeLessThan(at('find_root$'));
    expect(text).not.toMatch(/\b(bash|sh) -i|exec (bash|sh)\b|\beval\b/);
  });
});
