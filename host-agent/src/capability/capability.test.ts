// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Capability, CapabilityRequest } from './capability.ts';
import { covers, formatCapability, parseCapability, parseRequest, requestFor } from './capability.ts';

function held(text: string): Capability {
  const parsed = parseCapability(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function asked(text: string): CapabilityRequest {
  const parsed = parseRequest(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

test.each([
  'fs:write:/etc/nginx/**',
  'fs:read:/',
  'fs:read:*',
  'fs:read:/**/.ssh/id_*',
  'net:connect:api.example.com:443',
  'net:connect:*.example.com:443',
  'net:connect:[::1]:443',
  'service:restart:nginx.service',
  'secret:use:OPENAI_API_KEY',
  'process:run:git',
  'process:list',
])('R1: %s reads and prints as the same text', (text) => {
  expect(formatCapability(held(text))).toBe(text);
});

test('a held capability cannot be changed after it was read', () => {
  expect(Object.isFrozen(held('fs:read:/a'))).toBe(true);
  expect(Object.isFrozen(asked('fs:read:/a'))).toBe(true);
});

describe('A06: stars and segments', () => {
  test.each([
    ['/workspace/*', '/workspace/a', true],
    ['/workspace/*', '/workspace', false],
    ['/workspace/*', '/workspace/a/b', false],
    ['/workspace/**', '/workspace/a', true],
    ['/workspace/**', '/workspace/a/b', true],
    ['/workspace/**', '/workspace', false],
    ['/workspace/**', '/workshop', false],
    ['/workspace/**', '/workspaces/a', false],
    ['/workspace', '/workspace', true],
    ['/workspace', '/workspace/a', false],
    ['/etc/*', '/etc/nginx/conf', false],
    ['/etc/*.conf', '/etc/x.conf', true],
    ['/etc/*.conf', '/etc/.conf', true],
    ['/etc/*.conf', '/etc/a/x.conf', false],
    ['/*aa*a', '/baaa', true],
    ['/*aa*a', '/baa', false],
    ['/a*a', '/a', false],
    ['/var/**/log', '/var/a/log', true],
    ['/var/**/log', '/var/a/b/log', true],
    ['/var/**/log', '/var/log', false],
    ['/**/.ssh/**', '/home/a/.ssh/id', true],
    ['/**/.ssh/**', '/home/.ssh', false],
    ['/a/*/**', '/a/b', false],
    ['/a/*/**', '/a/b/c', true],
    ['/a/**/*', '/a/b/c', true],
    ['/**', '/', false],
    ['/*', '/', false],
    ['/', '/', true],
    ['*', '/', true],
    ['*', '/any/where', true],
  ])('fs:read:%s on %s: %s', (pattern, path, expected) => {
    expect(covers(held(`fs:read:${pattern}`), asked(`fs:read:${path}`))).toBe(expected);
  });

  test.each([
    [45, true],
    [40, true],
    [39, false],
  ])('a run of 41 segments behind a ** is found after %i equal ones: %s', (equal, expected) => {
    const pattern = held(`fs:read:/**/x${'/a'.repeat(40)}/b*/**`);
    const path = `/y/x${'/x'.repeat(Math.max(0, equal - 40))}${'/a'.repeat(Math.min(40, equal))}/bb/c`;
    expect(covers(pattern, asked(`fs:read:${path}`))).toBe(expected);
  });

  test.each([
    ['net:connect:*.example.com:443', 'net:connect:api.example.com:443', true],
    ['net:connect:*.example.com:443', 'net:connect:a.b.example.com:443', true],
    ['net:connect:*.example.com:443', 'net:connect:evil.com:1.example.com:443', false],
    ['net:connect:*.example.com:443', 'net:connect:evil.com/.example.com:443', false],
    ['net:connect:api.example.com:*', 'net:connect:api.example.com:443', true],
    ['net:connect:*', 'net:connect:any:1', true],
    ['net:connect:*:443', 'net:connect:a:b:443', false],
    ['service:restart:nginx.service', 'service:restart:nginx.service', true],
    ['service:restart:nginx.service', 'service:restart:ssh.service', false],
  ])('%s on %s: %s', (pattern, request, expected) => {
    expect(covers(held(pattern), asked(request))).toBe(expected);
  });

  test('namespace and action are compared whole', () => {
    expect(covers(held('fs:read:/a'), asked('fs:read:/a'))).toBe(true);
    expect(covers(held('fs:read:/a'), asked('fs:write:/a'))).toBe(false);
    expect(covers(held('x:read:/a'), asked('fs:read:/a'))).toBe(false);
  });

  test('without a resource it is the act as such', () => {
    expect(covers(held('process:list'), asked('process:list'))).toBe(true);
    expect(covers(held('process:list'), asked('process:list:own'))).toBe(false);
    expect(covers(held('process:list:*'), asked('process:list'))).toBe(false);
  });

  test('a star in a request is a name', () => {
    expect(covers(held('fs:read:/workspace/*'), asked('fs:read:/workspace/*'))).toBe(true);
    expect(covers(held('fs:read:/workspace/**'), asked('fs:read:/workspace/**'))).toBe(true);
    expect(covers(held('fs:read:/workspace/a'), asked('fs:read:/workspace/*'))).toBe(false);
    expect(covers(held('fs:read:/workspace/a/b'), asked('fs:read:/workspace/**'))).toBe(false);
    expect(covers(held('fs:read:/workspace/*'), asked('fs:read:/workspace/**'))).toBe(true);
    expect(covers(held('net:connect:a'), asked('net:connect:*'))).toBe(false);
  });
});

describe('malformed text is refused, never repaired', () => {
  test.each([
    ['', 'namespace:action'],
    ['fs', 'namespace:action'],
    ['fs:', 'action'],
    [':read', 'namespace'],
    ['fs:read', 'needs a path'],
    ['fs:read:', 'resource is empty'],
    ['FS:read:/a', 'namespace'],
    ['fs:r\u0435ad:/a', 'action'], // Cyrillic е (A05)
    ['fs :read:/a', 'namespace'],
    ['fs:*:/a', 'action'],
    ['fs:read:a', 'absolute'],
    ['fs:read:/a/', 'empty segment'],
    ['fs:read:/a//b', 'empty segment'],
    ['fs:read://', 'empty segment'],
    ['fs:read:/a/../b', '.. segment'],
    ['fs:read:/a/./b', '. segment'],
    ['fs:read:/a**', 'whole segment'],
    ['fs:read:/a/***', 'whole segment'],
    ['fs:read:**', 'absolute'],
    ['net:connect:**', 'for paths'],
    ['fs:read:/a\u0000/b', 'NUL'], // A04
    ['fs:read:/a\nb', 'control'],
    ['fs:read:/a\u009bb', 'control'],
    ['fs:read:/a\ud800', 'surrogate'], // A05
    ['fs:read:/a\u200bb', 'invisible'], // A05
    ['fs:read:/a\u202eb', 'direction'], // A05
    [`fs:read:/${'a'.repeat(1_000_000)}`, 'longer than 4096 bytes'], // A08
    [`fs:read:${'/a'.repeat(10_000)}`, 'longer than 4096 bytes'], // A08
    [`fs:read:/${'é'.repeat(2044)}`, 'longer than 4096 bytes'], // characters are not bytes
    [`fs:read:/${'a*'.repeat(65)}`, 'more than 64'], // A08
  ])('%j', (text, why) => {
    const parsed = parseCapability(text);
    expect(parsed.ok ? 'accepted' : parsed.error).toContain(why);
  });

  test('A08: the limits themselves are accepted, one more is not', () => {
    const longest = `fs:read:/${'a'.repeat(4096 - 9)}`;
    expect(parseCapability(longest).ok).toBe(true);
    expect(parseCapability(`${longest}a`).ok).toBe(false);
    expect(parseRequest(`${longest}a`).ok).toBe(false);
    expect(parseCapability(`fs:read:/${'a*'.repeat(64)}`).ok).toBe(true);
  });

  test('a refusal shows hostile text escaped and short', () => {
    const parsed = parseCapability(`fs:read:\u001b]52;c;${'x'.repeat(4000)}`);
    expect(parsed.ok ? '' : parsed.error).toMatch(/\\u001b/);
    expect(parsed.ok ? '' : parsed.error.length).toBeLessThan(300);
  });
});

describe('requests', () => {
  test('A02: a path is normalised once, before the match', () => {
    const workspace = held('fs:read:/workspace/**');
    expect(covers(workspace, asked('fs:read:/workspace/./a//b/'))).toBe(true);
    expect(asked('fs:read:/workspace/./a//b/').resource).toBe('/workspace/a/b');
    expect(covers(workspace, asked('fs:read:/workspace/a/../../etc/shadow'))).toBe(false);
    expect(asked('fs:read:/workspace/a/../../etc/shadow').resource).toBe('/etc/shadow');
    expect(covers(workspace, asked('fs:read:/workspace/a/..'))).toBe(false);
  });

  test('A02: a call must bring the path normalised, so that one string is judged and opened', () => {
    expect(requestFor('fs', 'read', '/workspace/a').ok).toBe(true);
    for (const path of ['/workspace/../etc', '/workspace//a', '/workspace/', 'workspace', '', '/workspace/.']) {
      expect(requestFor('fs', 'read', path).ok, path).toBe(false);
    }
    expect(requestFor('fs', 'read', null).ok).toBe(false);
  });

  test('A05: names that look alike stay different names', () => {
    const composed = held('fs:read:/workspace/caf\u00e9');
    expect(covers(composed, asked('fs:read:/workspace/caf\u00e9'))).toBe(true);
    expect(covers(composed, asked('fs:read:/workspace/cafe\u0301'))).toBe(false);
    expect(covers(held('fs:read:/workspace/**'), asked('fs:read:/etc\uff0fworkspace/a'))).toBe(false);
    expect(covers(held('fs:read:/workspace/a'), asked('fs:read:/workspace/A'))).toBe(false);
    expect(covers(held('fs:read:/workspace/a'), asked('fs:read:/workspace/a\u200b'))).toBe(false);
    expect(parseRequest('fs:read:/workspace/\udc00').ok).toBe(false);
    expect(parseRequest('fs:r\u0435ad:/workspace/a').ok).toBe(false);
  });
});
