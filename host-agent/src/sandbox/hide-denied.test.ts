// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { parseCapability, parseRequest, treeBelow, type Capability } from '../capability/capability.ts';
import type { Result } from '../identity/result.ts';
import { planCall } from './plan-call.ts';

const limits = { timeoutMs: 10_000, memoryMax: 2 ** 30, tasksMax: 100, outputMax: 65_536 };
const DEV = ['fs:read:/usr/lib/holdfast', 'fs:read:/usr/lib/holdfast/**'];

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const caps = (texts: readonly string[]): readonly Capability[] => texts.map((text) => must(parseCapability(text)));

type World = { readonly deny: readonly string[]; readonly held?: readonly string[]; readonly allow?: readonly string[]; readonly cwd?: string };

/** A program's call: its bindings, then what is hidden; or why not. */
function program({ deny, held = [], allow = held, cwd = '/' }: World): readonly string[] | string {
  const bounds = { allow: caps(allow), deny: caps(deny) };
  const planned = planCall({ command: { kind: 'process', argv: ['true'], cwd, env: {} }, held: caps(held), needs: [], bounds, root: 'image', limits, timeoutMs: null });
  if (!planned.ok) return planned.error;
  return [...planned.value.bindings.map((b) => `${b.access} ${b.path}`), ...planned.value.hidden.map((path) => `hide ${path}`)];
}

/** A file tool's call on one path, or with `/**` on the tree below it. */
function file(op: string, need: string, { deny, held = [], allow = held }: World): readonly string[] | string {
  const whole = need.endsWith('/**');
  const request = must(parseRequest(whole ? need.slice(0, -3) : need));
  const needs = whole ? [request, must(treeBelow(request))] : [request];
  const argv = ['file-tool', op, request.resource!];
  const bounds = { allow: caps(allow), deny: caps(deny) };
  const planned = planCall({ command: { kind: 'file', argv, cwd: '/', env: {} }, held: caps(held), needs, bounds, root: 'image', limits, timeoutMs: null });
  if (!planned.ok) return planned.error;
  const { bindings, hidden } = planned.value;
  return [...bindings.map((b) => `${b.access} ${b.path}${b.is === undefined ? '' : ` ${b.is}`}`), ...hidden.map((path) => `hide ${path}`)];
}

describe('a program does not see what its type is denied', () => {
  test.each<[string, World, readonly string[]]>([
    ['nothing denied', { deny: [] }, []],
    ['a directory of the image', { deny: DEV }, ['hide /usr/lib/holdfast']],
    ['the same where all of /usr is held', { deny: DEV, held: ['fs:read:/usr/**'] }, ['ro /usr', 'hide /usr/lib/holdfast']],
    ['a denied directory that is held is not shown at all', { deny: DEV, held: ['fs:read:/usr/lib/holdfast/**', 'fs:read:/usr/lib/holdfast/x'] }, ['hide /usr/lib/holdfast']],
    ['one file', { deny: ['fs:read:/usr/bin/perl'] }, ['hide /usr/bin/perl']],
    ['one level hides all of it', { deny: ['fs:read:/srv/a/*'], held: ['fs:read:/srv/**'] }, ['ro /srv', 'hide /srv/a']],
    ['the image by its other name', { deny: ['fs:read:/lib/ssl/**'] }, ['hide /usr/lib/ssl']],
    ['what the image brings of /etc', { deny: ['fs:read:/etc/passwd', 'fs:read:/etc/alt*/awk'] }, ['hide /etc/alternatives', 'hide /etc/passwd']],
    ['all of /etc', { deny: ['fs:read:/etc/**'] }, ['/etc/alternatives', '/etc/group', '/etc/hosts', '/etc/ld.so.cache', '/etc/localtime', '/etc/nsswitch.conf', '/etc/passwd'].map((p) => `hide ${p}`)],
    ['what is denied elsewhere hides nothing', { deny: ['fs:read:/opt/**', 'net:connect:*', 'fs:write:/usr/**'], held: ['fs:read:/srv/**'] }, ['ro /srv']],
    ['a denied path within a denied one once', { deny: ['fs:read:/srv/a/**', 'fs:read:/srv/a/b/c'], held: ['fs:read:/srv/**'] }, ['ro /srv', 'hide /srv/a']],
    ['a name that cannot be hidden drops the directory', { deny: ['fs:read:/srv/*/key'], held: ['fs:read:/srv/**', 'fs:read:/opt/**'] }, ['ro /opt']],
    ['but not a directory that it cannot reach', { deny: ['fs:read:/srv/*/key'], held: ['fs:read:/srv/a/b/**'] }, ['ro /srv/a/b']],
    ['what the agent may move drops the directory', { deny: ['fs:read:/srv/a/key'], held: ['fs:read:/srv/**'], allow: ['fs:read:/srv/**', 'fs:write:/srv/**'] }, []],
    ['also when it may only delete above it', { deny: ['fs:read:/srv/a/key'], held: ['fs:read:/srv/**'], allow: ['fs:read:/srv/**', 'fs:delete:/srv/*'] }, []],
    ['where it may write beside it nothing moves', { deny: ['fs:read:/srv/a/**'], held: ['fs:read:/srv/**'], allow: ['fs:read:/srv/**', 'fs:write:/srv/b/**'] }, ['ro /srv', 'hide /srv/a']],
    ['what may not all be written is shown to be read', { deny: ['fs:write:/srv/keep/**'], held: ['fs:write:/srv/**'] }, ['ro /srv']],
    ['nor what may not all be deleted', { deny: ['fs:delete:/srv/keep'], held: ['fs:write:/srv/**'] }, ['ro /srv']],
  ])('%s', (_, world, expected) => {
    expect(program(world)).toEqual(expected);
  });

  test.each<[string, World, RegExp]>([
    ['names of the image that cannot be hidden', { deny: ['fs:read:/usr/*/holdfast/**'] }, /would see the image, and the type's ceiling denies fs:read:\/usr\/\*\/holdfast/],
    ['all of the image', { deny: ['fs:read:/usr/**'] }, /leaves nothing of \/usr/],
    ['everything', { deny: ['fs:read:*'] }, /leaves nothing of \/usr/],
    ['the directory it would start in', { deny: ['fs:read:/workspace/**/.env'], held: ['fs:write:/workspace/**'], cwd: '/workspace/a' },
      /cannot start a program in \/workspace\/a: .*fs:read:\/workspace\/\*\*\/.env, and such names cannot be hidden/],
    ['too much to hide', { deny: Array.from({ length: 65 }, (_, i) => `fs:read:/usr/${i}`) }, /cannot make 65 paths hidden/],
  ])('or it does not run: %s', (_, world, why) => {
    expect(program(world)).toMatch(why);
  });
});

describe('a file call does not see what its type is denied', () => {
  const srv = ['fs:read:/srv/**', 'fs:write:/srv/**', 'fs:delete:/srv/**'];
  test.each<[string, string, string, World, readonly string[]]>([
    ['a search of the image', 'search', 'fs:read:/usr/**', { deny: DEV, held: ['fs:read:/usr/**'] }, ['ro /usr', 'hide /usr/lib/holdfast']],
    ['a list', 'list', 'fs:read:/srv', { deny: ['fs:read:/srv/a/**'], held: srv }, ['ro /srv', 'hide /srv/a']],
    ['a file beside it', 'read', 'fs:read:/srv/b', { deny: ['fs:read:/srv/a/**'], held: srv }, ['ro /srv', 'hide /srv/a']],
    ['a file below what hides more than is denied', 'read', 'fs:read:/srv/a/b/c', { deny: ['fs:read:/srv/a/*'], held: srv }, ['ro /srv/a/b/c']],
    ['a file beside names that cannot be hidden', 'read', 'fs:read:/srv/a/b', { deny: ['fs:read:/srv/**/key'], held: srv }, ['ro /srv/a/b file']],
    ['of the workspace too', 'stat', 'fs:read:/workspace/a', { deny: ['fs:read:/workspace/**/key'] }, ['ro /workspace/a file']],
    ['writing beside it', 'write', 'fs:write:/srv/b', { deny: ['fs:read:/srv/a/**', 'fs:delete:/srv/c'], held: srv }, ['rw /srv', 'hide /srv/a', 'hide /srv/c']],
    ['writing in the workspace', 'write', 'fs:write:/workspace/x/y', { deny: ['fs:write:/workspace/keep/**'] }, ['rw /workspace', 'hide /workspace/keep']],
    ['deleting beside it', 'delete', 'fs:delete:/srv/b', { deny: ['fs:delete:/srv/keep'], held: srv }, ['rw /srv', 'hide /srv/keep']],
  ])('%s', (_, op, need, world, expected) => {
    expect(file(op, need, world)).toEqual(expected);
  });

  test.each<[string, string, string, World, RegExp]>([
    ['a search among names that cannot be hidden', 'search', 'fs:read:/srv/**', { deny: ['fs:read:/srv/**/key'], held: srv }, /cannot make \/srv visible in a call: .*such names cannot be hidden/],
    ['a search where the agent may move them', 'search', 'fs:read:/srv/d/**', { deny: ['fs:read:/srv/d/key'], held: srv }, /of an agent that may move it/],
    ['a list of such', 'list', 'fs:read:/srv/d', { deny: ['fs:read:/srv/**/key'], held: srv }, /such names cannot be hidden/],
    ['writing where nothing may be read', 'write', 'fs:write:/srv/drop/a', { deny: ['fs:read:/srv/drop/**'], held: srv }, /leaves nothing of \/srv\/drop/],
  ])('or it does not run: %s', (_, op, need, world, why) => {
    expect(file(op, need, world)).toMatch(why);
  });
});
