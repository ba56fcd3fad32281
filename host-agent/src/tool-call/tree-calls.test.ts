// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { toolRegistry } from '../tools/all-tools.ts';
import { judgeCall } from './judge-call.ts';
import { callOf, memoryWorld } from './testdata/memory-world.ts';

// A call that acts on all below a path needs all below it; the real tools, judged.

function judged(tool: string, args: object, ...grants: readonly string[]) {
  const { ports, grant } = memoryWorld();
  grants.forEach((capability, n) => grant(`g${n}`, capability));
  return judgeCall(callOf(tool, args), { ...ports, tools: toolRegistry() });
}

test('a search needs the tree, one file only its path', () => {
  const search = { path: '/etc/nginx', text: 'x' };
  expect(judged('fs.search', search, 'fs:read:/etc/nginx', 'fs:read:/etc/nginx/**')).toMatchObject({
    verdict: 'allow',
    needs: [{ resource: '/etc/nginx' }, { resource: '/etc/nginx/**', tree: '/etc/nginx' }],
  });
  const allowed = judged('fs.search', search, 'fs:read:/etc/nginx', 'fs:read:/etc/nginx/**');
  const plan = allowed.verdict === 'allow' && allowed.act.runs === 'sandbox' && allowed.act.permit.plan;
  expect(plan).toMatchObject({ bindings: [{ path: '/etc/nginx', access: 'ro' }] });
  const refused = judged('fs.search', search, 'fs:read:/etc/nginx', 'fs:read:/etc/nginx/*');
  expect(refused).toMatchObject({ verdict: 'deny', missing: ['fs:read:/etc/nginx/**'], mayAsk: ['fs:read:/etc/nginx/**'] });
  expect(refused.verdict === 'deny' && refused.remedy).toMatch(/authority\.request for fs:read:\/etc\/nginx\/\*\*.*To search one file pass recursive: false\.$/s);
  expect(judged('fs.search', { ...search, recursive: false }, 'fs:read:/etc/nginx')).toMatchObject({ verdict: 'allow' });
});

test('a recursive deletion needs the tree, another only the path', () => {
  const path = '/workspace/a';
  expect(judged('fs.delete', { path }, 'fs:delete:/workspace/*')).toMatchObject({ verdict: 'allow' });
  expect(judged('fs.delete', { path, recursive: true }, 'fs:delete:/workspace/**')).toMatchObject({ verdict: 'allow' });
  const refused = judged('fs.delete', { path, recursive: true }, 'fs:delete:/workspace/*');
  expect(refused).toMatchObject({ verdict: 'deny', missing: ['fs:delete:/workspace/a/**'], mayAsk: ['fs:delete:/workspace/a/**'] });
  expect(refused.verdict === 'deny' && refused.remedy).toContain('(fs:delete:/workspace/*, which you hold, reaches one level only');
});

test('without the path itself the tree is not enough, and the hint is not given', () => {
  const refused = judged('fs.search', { path: '/etc/nginx', text: 'x' });
  expect(refused).toMatchObject({ verdict: 'deny', missing: ['fs:read:/etc/nginx', 'fs:read:/etc/nginx/**'] });
  expect(refused.verdict === 'deny' && refused.remedy).not.toContain('recursive');
});

test('what the ceiling denies is hidden in the permit, for a search and for a program (R2)', () => {
  const planOf = (tool: string, args: object, ...grants: readonly string[]) => {
    const answer = judged(tool, args, ...grants);
    return answer.verdict === 'allow' && answer.act.runs === 'sandbox' && answer.act.permit.plan;
  };
  expect(planOf('process.run', { program: 'git' }, 'process:run:git', 'fs:read:/etc/**')).toMatchObject({ hidden: ['/etc/shadow'] });
  expect(planOf('process.run', { program: 'git' }, 'process:run:git')).toMatchObject({ hidden: [] });
  expect(planOf('fs.search', { path: '/workspace', text: 'x' })).toMatchObject({ hidden: [] });
  expect(planOf('fs.read', { path: '/etc/os-release' }, 'fs:read:/etc/**')).toMatchObject({ bindings: [{ path: '/etc' }], hidden: ['/etc/shadow'] });
});
