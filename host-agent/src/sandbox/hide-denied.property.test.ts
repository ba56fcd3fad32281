// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCapability, parseRequest, treeBelow } from '../capability/capability.ts';
import { launchWords, type Place } from './launch-words.ts';
import { planCall } from './plan-call.ts';

const COUNT = Number(process.env.HOLDFAST_COUNT ?? 5_000);

// A slow model of what stands behind the words of a launch: every mount in order, the last one over a name decides.

type Mount = { readonly at: string; readonly shows: boolean; readonly only: boolean; readonly writable: boolean };

function mountsOf(words: readonly string[]): readonly Mount[] {
  const mounts: Mount[] = [];
  for (let n = 0; words[n] !== '--'; n += 1) {
    if (words[n] === '--bind') mounts.push({ at: words[n + 3]!, shows: true, only: words[n + 1]!.endsWith('-file'), writable: words[n + 1]!.startsWith('rw') });
    if (words[n] === '--hide') mounts.push({ at: words[n + 1]!, shows: false, only: false, writable: false });
    if (words[n] === '--image') mounts.push({ at: words[n + 1]!, shows: true, only: LAUNCH.includes(words[n + 1]!), writable: false });
  }
  return mounts;
}

function under(path: string, dir: string): boolean {
  return dir === '/' || `${path}/`.startsWith(`${dir}/`);
}

/** The mount in which a name is found; merged-usr links lead into the image when there is one. */
function found(mounts: readonly Mount[], linked: boolean, name: string): Mount | null {
  const path = linked ? name.replace(/^\/(bin|lib|lib64|sbin)(?=\/|$)/, '/usr/$1') : name;
  const last = mounts.findLast((mount) => under(path, mount.at));
  return last === undefined || !last.shows || (last.only && path !== last.at) ? null : last;
}

/** R1 in a regular expression. */
function matches(pattern: string, path: string): boolean {
  if (pattern === '*') return true;
  const source = pattern.split('/').map((segment) => (segment === '**' ? '.+' : segment.split('*').map((text) => text.replaceAll('.', '\\.')).join('[^/]*')));
  return new RegExp(`^${source.join('/')}$`, 's').test(path);
}

const PROGRAMS = '/usr/lib/hf';
const place: Place = { programs: PROGRAMS, stage: '/s', label: 'l', hostOf: (path) => path };
/** What the launch itself needs to be there. */
const LAUNCH = [`${PROGRAMS}/call-init`, `${PROGRAMS}/file-tool`];

const root = fc.constantFrom('srv', 'workspace', 'usr', 'usr/lib', 'usr/lib/hf', 'lib', 'etc');
const name = fc.constantFrom('a', 'b', 'hf', 'lib', 'passwd', 'alternatives', 'call-init');
const path = fc.tuple(root, fc.array(name, { maxLength: 3 })).map(([first, rest]) => `/${[first, ...rest].join('/')}`);
const glob = fc.constantFrom('*', '**', 'a*', '**', 'a');
const pattern = fc.oneof(
  { weight: 3, arbitrary: path },
  { weight: 6, arbitrary: path.map((dir) => `${dir}/**`) },
  { weight: 2, arbitrary: path.map((dir) => `${dir}/*`) },
  { weight: 2, arbitrary: fc.tuple(path, glob, name).map((parts) => parts.join('/')) },
  { weight: 1, arbitrary: fc.constantFrom('*', '/**', '/*/a', '/*/lib/**') },
);
const action = fc.constantFrom('read', 'read', 'write', 'delete');
const capability = fc.tuple(action, pattern).map(([act, resource]) => `fs:${act}:${resource}`);
const call = fc.oneof(
  fc.constant({ kind: 'process' } as const),
  fc.record({ kind: fc.constant('file' as const), op: fc.constantFrom('read', 'list', 'stat', 'search', 'write', 'mkdir', 'delete'), on: path, tree: fc.boolean() }),
);

const ACTION: Readonly<Record<string, string>> = { write: 'write', mkdir: 'write', delete: 'delete' };

test(`nothing that a ceiling denies is visible in a call, or writable (${COUNT} cases)`, { timeout: 3_600_000 }, () => {
  let planned = 0;
  let hiding = 0;
  let shown = 0;
  fc.assert(
    fc.property(
      fc.array(capability, { maxLength: 4 }),
      fc.array(capability, { maxLength: 4 }),
      fc.array(capability, { minLength: 1, maxLength: 3 }),
      call,
      fc.array(path, { minLength: 20, maxLength: 20 }),
      (held, more, deny, wish, looked) => {
        const caps = (texts: readonly string[]) => texts.map((text) => parseCapability(text)).flatMap((c) => (c.ok ? [c.value] : []));
        const request = wish.kind === 'file' ? parseRequest(`fs:${ACTION[wish.op] ?? 'read'}:${wish.on}`) : null;
        if (request !== null && !request.ok) return;
        const tree = request !== null && wish.kind === 'file' && wish.tree && wish.op === 'search' ? treeBelow(request.value) : null;
        const argv = wish.kind === 'file' ? ['file-tool', wish.op, wish.on] : ['true'];
        const plan = planCall({
          command: { kind: wish.kind, argv, cwd: '/', env: {} },
          held: caps(held),
          needs: [...(request === null ? [] : [request.value]), ...(tree?.ok === true ? [tree.value] : [])],
          bounds: { allow: caps([...held, ...more]), deny: caps(deny) },
          root: 'image',
          limits: { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 },
          timeoutMs: null,
        });
        if (!plan.ok) return;
        planned += 1;
        if (plan.value.hidden.length > 0) hiding += 1;
        const { prepare, call } = launchWords(plan.value, 1, false, place);
        const words = [...prepare, ...call];
        const mounts = mountsOf(words);
        for (const name of [...looked, ...deny.flatMap((d) => wordsOf(d)), ...plan.value.hidden.flatMap((h) => [h, `${h}/a`])]) {
          const mount = found(mounts, words.includes('--link'), name);
          if (mount === null || LAUNCH.includes(mount.at)) continue;
          shown += 1;
          for (const denial of deny) {
            const [, act = '', resource = ''] = /^fs:([a-z]+):(.*)$/.exec(denial)!;
            if (act === 'read' || mount.writable) expect(matches(resource, name), `${denial} shows ${name}`).toBe(false);
          }
        }
      },
    ),
    { numRuns: COUNT },
  );
  // Otherwise this would be about nothing.
  expect(planned / COUNT).toBeGreaterThan(0.3);
  expect(hiding / COUNT).toBeGreaterThan(0.05);
  expect(shown / COUNT).toBeGreaterThan(2);
});

/** Names that a denial matches, so that what is looked at is not left to luck. */
function wordsOf(denial: string): readonly string[] {
  const resource = denial.replace(/^fs:[a-z]+:/, '');
  if (resource === '*') return ['/srv/a', '/usr/lib/a', '/etc/passwd'];
  return ['a', 'hf', 'lib'].flatMap((text) => [resource.replaceAll('**', text).replaceAll('*', text), resource.replaceAll('**', `${text}/b`).replaceAll('*', '')])
    .filter((name) => !name.includes('//') && !name.endsWith('/'));
}
