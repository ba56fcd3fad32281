// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Capability } from '../capability/capability.ts';
import type { Bounds } from './hide-denied.ts';
import type { CallLimits } from './permit.ts';
import { planCall } from './plan-call.ts';

const limits: CallLimits = { timeoutMs: 10_000, memoryMax: 2 ** 30, tasksMax: 100, outputMax: 65_536 };

function cap(text: string): Capability {
  const [namespace = '', action = '', resource = null] = /^([^:]+):([^:]+)(?::(.*))?$/s.exec(text)!.slice(1);
  return { namespace, action, resource };
}

const FREE: Bounds = { allow: [], deny: [] };

function plan(kind: 'file' | 'process', argv: readonly string[], held: readonly string[], needs: readonly string[] = [], env: Record<string, string> = {}) {
  return planCall({ command: { kind, argv, cwd: '/workspace', env }, held: held.map(cap), needs: needs.map(cap), bounds: FREE, root: 'image', limits, timeoutMs: null });
}

function fileCall(path: string, need: string, held: readonly string[] = []) {
  const planned = plan('file', ['file-tool', 'op', path, '--option'], held, [need]);
  if (!planned.ok) return planned.error;
  return [planned.value.argv.join(' '), ...planned.value.bindings.map((b) => `${b.access} ${b.path}`)];
}

function shown(held: readonly string[]): readonly string[] | string {
  const planned = plan('process', ['true'], held);
  return planned.ok ? planned.value.bindings.map((b) => `${b.access} ${b.path} ${b.is}`) : planned.error;
}

describe('a file call sees', () => {
  test('the workspace as a whole, for reading unless it writes', () => {
    expect(fileCall('/workspace/a/b', 'fs:read:/workspace/a/b')).toEqual(['file-tool /workspace op a/b --option', 'ro /workspace']);
    expect(fileCall('/workspace/a/b', 'fs:write:/workspace/a/b')).toEqual(['file-tool /workspace op a/b --option', 'rw /workspace']);
    expect(fileCall('/workspace/a', 'fs:delete:/workspace/a')).toEqual(['file-tool /workspace op a --option', 'rw /workspace']);
    expect(fileCall('/workspace', 'fs:read:/workspace')).toEqual(['file-tool /workspace op . --option', 'ro /workspace']);
  });

  test('of other paths the deepest directory that a held pattern of the same action names', () => {
    const held = ['fs:read:/srv/**', 'fs:read:/srv/data/**', 'fs:write:/srv/data/deep/**', 'fs:read:/srv/da*/**'];
    expect(fileCall('/srv/data/deep/f', 'fs:read:/srv/data/deep/f', held)).toEqual(['file-tool /srv/data op deep/f --option', 'ro /srv/data']);
    expect(fileCall('/srv/other', 'fs:read:/srv/other', held)).toEqual(['file-tool /srv op other --option', 'ro /srv']);
    expect(fileCall('/srv/data/deep/f', 'fs:write:/srv/data/deep/f', held)).toEqual(['file-tool /srv/data/deep op f --option', 'rw /srv/data/deep']);
  });

  test('without such a pattern the path alone, or its directory to write it', () => {
    expect(fileCall('/etc/hostname', 'fs:read:/etc/hostname', ['fs:read:/etc/hostname'])).toEqual(['file-tool /etc op hostname --option', 'ro /etc/hostname']);
    expect(fileCall('/etc/hostname', 'fs:read:/etc/hostname', ['fs:read:/**'])).toEqual(['file-tool /etc op hostname --option', 'ro /etc/hostname']);
    expect(fileCall('/srv/new', 'fs:write:/srv/new', ['fs:write:/srv/new'])).toEqual(['file-tool /srv op new --option', 'rw /srv']);
  });

  test('never what is reserved, nor a directory above it', () => {
    for (const path of ['/proc/self/root', '/sys/kernel', '/dev/mem', '/run/holdfast/operator.sock', '/run/holdfast-ledger/append.sock', '/etc/shadow',
      '/var/lib/holdfast-workspaces/other/f', '/var/lib/holdfast-ledger/x', '/boot/x', '/', '/var', '/var/lib', '/run']) {
      expect(fileCall(path, `fs:read:${path}`, [`fs:read:${path}`, 'fs:read:/**']), path).toMatch(/cannot make .* visible/);
    }
    expect(fileCall('/run/x', 'fs:write:/run/x', ['fs:write:/run/x'])).toMatch(/holds paths that are never visible/);
    expect(fileCall('/run/user/x', 'fs:read:/run/user/x')).toContain('ro /run/user/x');
  });

  test('nothing when the path is not one that it needs', () => {
    expect(fileCall('/etc/passwd', 'fs:read:/workspace/f')).toMatch(/no capability it needs names that path/);
    expect(fileCall('/workspacex', 'fs:read:/workspace/f')).toMatch(/no capability it needs names that path/);
  });

  test('and a star in a name that was asked for is a star', () => {
    expect(fileCall('/srv/**', 'fs:read:/srv/**', ['fs:read:/srv/*'])).toEqual(['file-tool /srv op ** --option', 'ro /srv/**']);
  });
});

describe('a program sees', () => {
  test('what is held of the file system, parents first, the wider access of two, nothing twice', () => {
    expect(shown(['fs:read:/srv/b/**', 'fs:read:/srv/**', 'fs:write:/srv/out/deep/**', 'fs:write:/srv/out/**'])).toEqual(['ro /srv directory', 'rw /srv/out directory']);
    expect(shown(['fs:read:/workspace/**', 'fs:write:/workspace/**', 'process:run:git', 'net:connect:x:1'])).toEqual(['rw /workspace directory']);
    expect(shown(['fs:read:/a-b/**', 'fs:read:/a/**', 'fs:read:/a/b/**'])).toEqual(['ro /a directory', 'ro /a-b directory']);
  });

  test('no mount inside a workspace that is mounted, where the agent could move its place', () => {
    expect(shown(['fs:read:/workspace/**', 'fs:write:/workspace/out/**'])).toEqual(['ro /workspace directory']);
    // Control: where nothing of the workspace but that is mounted, its place is the sandbox's own.
    expect(shown(['fs:read:/workspace/in/**', 'fs:write:/workspace/out/**'])).toEqual(['ro /workspace/in directory', 'rw /workspace/out directory']);
  });

  test('a path that is held by its name only as a file, never as the tree below it', () => {
    expect(shown(['fs:read:/etc/motd'])).toEqual(['ro /etc/motd file']);
    expect(shown(['fs:write:/workspace', 'fs:read:/workspace/**'])).toEqual(['rw /workspace file', 'ro /workspace directory']);
  });

  test('no pattern that a mount cannot express, and nothing for the right to delete', () => {
    expect(shown(['fs:read:/srv/*', 'fs:read:/srv/*/x/**', 'fs:read:*', 'fs:read:/srv/**/x', 'fs:delete:/srv/**', 'fs:read'])).toEqual([]);
  });

  test('nothing that is reserved', () => {
    expect(shown(['fs:read:/**', 'fs:read:/proc/**', 'fs:write:/dev/**', 'fs:read:/run/**', 'fs:read:/var/lib/holdfast/**', 'fs:read:/etc/shadow'])).toEqual([]);
    expect(shown(['fs:read:/workspace/../etc/**'])).toEqual([]);
  });

  test('its home in the workspace only when it may write there', () => {
    const homes = [['fs:write:/workspace/**'], ['fs:read:/workspace/**'], ['fs:write:/workspace']].map((held) => {
      const planned = plan('process', ['true'], held);
      return planned.ok ? planned.value.env['HOME'] : planned.error;
    });
    expect(homes).toEqual(['/workspace', '/tmp', '/tmp']);
  });

  test('not more paths than one call may have', () => {
    const many = Array.from({ length: 65 }, (_, i) => `fs:read:/srv/${i}/**`);
    expect(shown(many.slice(1))).toHaveLength(64);
    expect(shown(many)).toMatch(/64 are the most/);
  });
});

test('a call may shorten its time and never lengthen it', () => {
  const timeout = (timeoutMs: number | null): number => {
    const planned = planCall({ command: { kind: 'process', argv: ['true'], cwd: '/', env: {} }, held: [], needs: [], bounds: FREE, root: 'image', limits, timeoutMs });
    if (!planned.ok) throw new Error(planned.error);
    return planned.value.limits.timeoutMs;
  };
  expect([timeout(null), timeout(50), timeout(99_999)]).toEqual([10_000, 50, 10_000]);
});

test('a variable that a program would obey is refused', () => {
  expect(plan('process', ['true'], [], [], { LANG: 'de_DE.UTF-8' }).ok).toBe(true);
  expect(plan('process', ['true'], [], [], { LD_PRELOAD: '/workspace/x.so' })).toMatchObject({ ok: false });
});
