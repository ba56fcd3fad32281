// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { formatCapability, parseCapability, parseRequest, type Capability } from './capability.ts';
import { allowedBy, deniedBy, parseCeiling, withinCeiling, type Ceiling } from './ceiling.ts';
import { contains } from './contains.ts';
import { overlaps } from './overlaps.ts';
import { firstCovering, indexCapabilities } from './capability-index.ts';
import { oneLevelHeld, oneLevelWarning, suggestCapability } from './suggest.ts';

const task = ceiling(
  ['fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'fs:read:/etc/**', 'process:list'],
  ['fs:read:/etc/shadow', 'fs:read:/etc/ssl/private/**', 'fs:write:/workspace/.holdfast/**'],
);

describe('containment', () => {
  test.each([
    ['/a/**', '/a/b', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/a', false],
    ['/a/**', '/a/*', true],
    ['/a/**', '/a/**', true],
    ['/a/**', '/a/*/**', true],
    ['/a/**', '/a/**/b', true],
    ['/a/**', '/ab/**', false],
    ['/a/*', '/a/**', false],
    ['/a/*', '/a/*', true],
    ['/a/*', '/a/x*y', true],
    ['/a/x*', '/a/*', false],
    ['/a/x*', '/a/xy*', true],
    ['/a/*y', '/a/x*y', true],
    ['/a/*/**', '/a/**/*', true],
    ['/a/**/*', '/a/*/**', true],
    ['/a/**/**', '/a/**', false],
    ['/**/*/b', '/x/**/b', true],
    ['/*/**/b', '/**/x*/b', true],
    ['/**/b', '/a/**/b', true],
    ['/**/b', '/a/**', false],
    ['/a/**/b/**', '/a/x/b/y', true],
    ['/a/**/b/**', '/a/b/y', false],
    ['/**', '*', false],
    ['*', '/**', true],
    ['*', '*', true],
    ['/**', '/', false],
  ])('fs:read:%s contains fs:read:%s: %s', (outer, inner, expected) => {
    expect(contains(held(`fs:read:${outer}`), held(`fs:read:${inner}`))).toBe(expected);
  });

  test.each([
    ['net:connect:*', 'net:connect:a:1', true],
    ['net:connect:*.b:443', 'net:connect:a.b:443', true],
    ['net:connect:*.b:443', 'net:connect:*.a.b:443', true],
    ['net:connect:*.b:443', 'net:connect:*:443', false],
    ['net:connect:a:*', 'net:connect:*', false],
    ['process:list', 'process:list', true],
    ['process:list:*', 'process:list', false],
    ['fs:read:/a', 'fs:write:/a', false],
  ])('%s contains %s: %s', (outer, inner, expected) => {
    expect(contains(held(outer), held(inner))).toBe(expected);
  });

  test.each([
    ['/etc/**', '/etc/shadow', true],
    ['/etc/*', '/etc/s*', true],
    ['/etc/a*', '/etc/b*', false],
    ['/etc/a*', '/etc/*b', true],
    ['/**/x', '/a/**', true],
    ['/a/**', '/a', false],
    ['/a/*', '/a/b/**', false],
    ['/**/b/**', '/**/c', true],
  ])('fs:read:%s overlaps fs:read:%s: %s', (a, b, expected) => {
    expect(overlaps(held(`fs:read:${a}`), held(`fs:read:${b}`))).toBe(expected);
    expect(overlaps(held(`fs:read:${b}`), held(`fs:read:${a}`))).toBe(expected);
  });
});

describe('the ceiling of a type', () => {
  test('a grant inside one allow pattern is allowed, and the denials that will bite are shown', () => {
    expect(shadows('fs:read:/etc/os-release')).toEqual([]);
    expect(shadows('fs:read:/etc/**')).toEqual(['fs:read:/etc/shadow', 'fs:read:/etc/ssl/private/**']);
    expect(shadows('fs:read:/etc/ssl/**')).toEqual(['fs:read:/etc/ssl/private/**']);
  });

  test.each([
    ['fs:read:/var/log/syslog', 'not inside'],
    ['fs:read:/**', 'not inside'],
    ['fs:read:*', 'not inside'],
    ['fs:write:/workspace', 'not inside'],
    ['fs:write:/etc/passwd', 'it reaches fs:write:/workspace/**'],
    ['net:connect:a:1', 'holds nothing of net:connect'],
    ['process:list:*', 'not inside'],
    ['fs:read:/etc/shadow', 'denies all of it by fs:read:/etc/shadow'],
    ['fs:read:/etc/ssl/private/*', 'denies all of it'],
  ])('%s is refused when given: %s', (text, why) => {
    const within = withinCeiling(task, held(text));
    expect(within.ok ? 'allowed' : within.error).toContain(why);
  });

  test('at use: denials win over what is allowed', () => {
    expect(allowedBy(task, asked('fs:read:/etc/os-release'))?.resource).toBe('/etc/**');
    expect(deniedBy(task, asked('fs:read:/etc/os-release'))).toBeNull();
    expect(deniedBy(task, asked('fs:read:/etc/shadow'))?.resource).toBe('/etc/shadow');
  });

  test('a ceiling of which one line cannot be read is refused whole', () => {
    expect(parseCeiling({ allow: ['fs:read:/a'], deny: ['fs:read:/a/b'] }).ok).toBe(true);
    expect(parseCeiling({ allow: ['fs:read:/a'], deny: ['fs:read:/a/../b'] }).ok).toBe(false);
    expect(parseCeiling({ allow: ['fs:read'], deny: [] }).ok).toBe(false);
  });
});

describe('what a refused agent may ask for', () => {
  test('exactly what it lacked, and nothing that a grant cannot give', () => {
    expect(suggestion('fs:read:/etc/os-release')).toBe('fs:read:/etc/os-release');
    expect(suggestion('process:list')).toBe('process:list');
    expect(suggestion('fs:read:/etc/shadow')).toBeNull();
    expect(suggestion('fs:read:/var/log/x')).toBeNull();
    // A star would be live in a grant: wider than the file that was asked for.
    expect(suggestion('fs:read:/etc/*')).toBeNull();
  });

  test('/* stops after one level, and who runs into it is told what would reach', () => {
    const list = [held('fs:read:/etc/*'), held('fs:read:/var/**')];
    const index = indexCapabilities(list);
    const request = asked('fs:read:/etc/nginx/conf.d/a.conf');
    expect(firstCovering(index, request)).toBeNull();
    const short = oneLevelHeld(list, index, request);
    expect(short && formatCapability(short.deep)).toBe('fs:read:/etc/**');
    expect(oneLevelHeld(list, index, asked('fs:read:/srv/a/b'))).toBeNull();
    expect(oneLevelWarning(held('fs:read:/etc/*'))).toContain('fs:read:/etc/**');
    expect(oneLevelWarning(held('fs:read:/etc/**'))).toBeNull();
    expect(oneLevelWarning(held('fs:read:*'))).toBeNull();
  });
});

function suggestion(text: string): string | null {
  const capability = suggestCapability(task, asked(text));
  return capability && formatCapability(capability);
}

function shadows(text: string): readonly string[] {
  const within = withinCeiling(task, held(text));
  if (!within.ok) throw new Error(within.error);
  return within.value.shadowedBy.map(formatCapability);
}

function ceiling(allow: readonly string[], deny: readonly string[]): Ceiling {
  const parsed = parseCeiling({ allow, deny });
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function held(text: string): Capability {
  const parsed = parseCapability(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function asked(text: string) {
  const parsed = parseRequest(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}
