// SPDX-License-Identifier: Apache-2.0
// The ceiling's answer and the kernel's, path by path: the same, but for what is listed here with its reason. The kernel is asked by a
// process under the very label that a call gets, as root, in a root where every path is there and open to everybody, so that no mount,
// mode or owner answers in AppArmor's place (probe/confined.py).
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { covers, parseCapability, requestFor, type Capability } from '../../host-agent/src/capability/capability.ts';
import { allowedBy, deniedBy, parseCeiling } from '../../host-agent/src/capability/ceiling.ts';
import type { AgentType } from '../../host-agent/src/config/agent-type.ts';
import type { Result } from '../../host-agent/src/identity/result.ts';
import { shippedTypes } from '../../host-agent/type-files.ts';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import { ATTACK_PATHS } from '../apparmor/attack-paths.ts';
import { permissive, withProfiles } from './guards.ts';
import { root } from './machine.ts';

type Row = readonly [letters: string, pattern: string, why: string];

/** Where a call may do more than its type's ceiling says: that its mounts show nothing else there is what bounds it. */
const WIDER: readonly Row[] = [
  ['r', '/usr/lib/holdfast/call-init', 'PID 1 of every call'],
  ['r', '/usr/lib/holdfast/file-tool', 'executed for every file call'],
  ['r', '/dev/null', 'the input of a call that has none'],
];
const WIDER_FOR_PROGRAMS: readonly Row[] = [
  ['r', '/', 'programs look at their root'],
  ['r', '/usr', 'the image that programs are of'],
  ['r', '/usr/**', 'the image that programs are of'],
  ['r', '/etc', 'programs look for their configuration'],
  ...['passwd', 'group', 'hosts', 'nsswitch.conf', 'localtime', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d/*', 'hostname', 'os-release', 'mime.types', 'inputrc', 'alternatives/**', 'terminfo/**']
    .map((name) => ['r', `/etc/${name}`, 'every C program asks for these'] as const),
  ['rw', '/tmp/**', 'the call\'s own tmpfs'],
  ['rw', '/dev/*', 'the harmless devices, which the call\'s own /dev holds'],
  ['rw', '/dev/pts/*', 'terminals of the call\'s own'],
  ['rw', '/dev/shm/**', 'the call\'s own tmpfs'],
  ['r', '/proc/**', 'of the call\'s own PID namespace'],
  ['r', '/sys/devices/system/**', 'how many processors there are'],
];
/** Where a call may do less: denied whatever a ceiling says (abstractions/holdfast-call). */
const NARROWER: readonly Row[] = [
  ['r', '/etc/shadow*', 'secrets of accounts, under any name'],
  ['r', '/etc/gshadow*', 'secrets of accounts, under any name'],
  ['rw', '/var/lib/holdfast*', 'what Holdfast keeps, in any folder of its name'],
  ['rw', '/var/lib/holdfast*/**', 'what Holdfast keeps, in any folder of its name'],
  ['rw', '/var/run/holdfast*', 'the doors, under their old name'],
  ['rw', '/var/run/holdfast*/**', 'the doors, under their old name'],
];

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function matcher(pattern: string): (path: string) => boolean {
  const held: Capability = must(parseCapability(`fs:read:${pattern}`));
  return (path) => {
    const asked = requestFor('fs', 'read', path);
    // No request can name what lies below /proc; here a pattern must.
    return asked.ok ? covers(held, asked.value) : pattern === '/proc/**' && path.startsWith('/proc/');
  };
}

/** Deterministic, so that a failure comes again. */
function* numbers(): Generator<number> {
  for (let n = 12_345; ; n = (n * 1_103_515_245 + 12_345) % 2 ** 31) yield n;
}

/** Names at the edges of every pattern of a type, what an attacker would try, and a part of the image. */
function pathsFor({ ceiling }: AgentType, image: readonly string[]): readonly string[] {
  const random = numbers();
  const pick = <T>(list: readonly T[]): T => list[(random.next().value as number) % list.length]!;
  const names = ['a', '.a', 'a.b', 'nginx', 'etc', '~', 'ä', 'a b', '{a}', 'a*', '**'];
  const edges = [...ceiling.allow, ...ceiling.deny].filter((text) => text.startsWith('fs:')).flatMap((text) => {
    const path = text.slice(text.indexOf('/')).replace(/\/\*\*$/, '');
    const near = [path, `${path}x`, `${path}/a`, `${path}/.a`, `${path}/${pick(names)}/${pick(names)}`, `${path}-/a`, `${path}.d/a`, `/x${path}/a`, path.slice(0, path.lastIndexOf('/')) || '/'];
    return [...near, ...Array.from({ length: 6 }, () => `${path}/${pick(names)}/${pick(names)}${pick(names)}`)];
  });
  const some = image.filter((_, n) => n % Math.ceil(image.length / 350) === 0);
  const all = [...new Set([...edges, ...ATTACK_PATHS, ...some])];
  return all.filter((path) => path.startsWith('/') && !path.includes('\n') && path.length < 200);
}

let program = '';
let image: readonly string[] = [];

beforeAll(async () => {
  const out = join(cache, 'probe');
  mkdirSync(out, { recursive: true });
  await runInTools([repository, out], ['gcc', '-static', '-O1', '-Wall', '-Werror', '-o', join(out, 'opens'), join(repository, 'tests/vm/probe/opens.c')]);
  program = '/run/test-opens';
  root(`base64 -d >${program} && chmod 755 ${program}`, readFileSync(join(out, 'opens')).toString('base64'));
  root('cat >/run/test-confined.py', readFileSync(join(repository, 'tests/vm/probe/confined.py'), 'utf8'));
  image = root("find / -xdev -type f | LC_ALL=C sort").split('\n').filter((path) => path !== '');
});

/** What the kernel says under a label, for each question in turn. */
function kernel(label: string, asked: readonly string[]): readonly string[] {
  const answers = root(`python3 /run/test-confined.py '${label}' ${program}`, asked.map((line) => `${line}\n`).join('')).trimEnd().split('\n');
  expect(answers).toHaveLength(asked.length);
  return answers;
}

describe.each(shippedTypes().map((type) => [type.name, type] as const))('type %s', (_, type) => {
  const { profiles, ceiling: declared } = type;
  const label = `${profiles.runner}//&${profiles.call}`;

  it('the kernel allows a call what the ceiling allows, on at least 500 paths', () => {
    const ceiling = must(parseCeiling(declared));
    const answer = (action: string, path: string): boolean => {
      const asked = requestFor('fs', action, path);
      return asked.ok && allowedBy(ceiling, asked.value) !== null && deniedBy(ceiling, asked.value) === null;
    };
    const paths = pathsFor(type, image);
    expect(paths.length).toBeGreaterThanOrEqual(500);
    const questions = paths.flatMap((path) => (['r', 'w'] as const).map((letter) => ({ letter, path })));
    const answers = kernel(label, questions.map(({ letter, path }) => `${letter} ${path}`));

    const runs = declared.allow.some((text) => text.startsWith('process:run:'));
    const rows = { wider: [...WIDER, ...(runs ? WIDER_FOR_PROGRAMS : [])].map(readRow), narrower: NARROWER.map(readRow) };
    const unexplained: string[] = [];
    const counts = { same: 0, allowed: 0, refused: 0 };
    questions.forEach(({ letter, path }, n) => {
      // Said before AppArmor is asked: nobody opens a folder for writing, or the program that runs.
      if (answers[n] === 'EISDIR' || answers[n] === 'ETXTBSY') return;
      expect(['ok', 'EACCES'], `${letter} ${path}`).toContain(answers[n]);
      const allowed = answers[n] === 'ok';
      const may = letter === 'r' ? answer('read', path) || writes(path) : writes(path);
      counts[allowed ? 'allowed' : 'refused'] += 1;
      if (allowed === may) return void (counts.same += 1);
      const explained = rows[allowed ? 'wider' : 'narrower'].some((row) => row.letters.includes(letter) && row.matches(path));
      if (!explained) unexplained.push(`${letter} ${path}: the kernel ${allowed ? 'allows' : 'refuses'}, the ceiling ${may ? 'allows' : 'refuses'}`);
    });
    expect(unexplained).toEqual([]);
    expect(counts.allowed).toBeGreaterThan(20);
    expect(counts.refused).toBeGreaterThan(100);
    expect(counts.same).toBeGreaterThan(500);

    // Who writes sees, as the mounts have it; and making, changing and deleting are one letter.
    function writes(path: string): boolean {
      return answer('write', path) || answer('delete', path);
    }
  });
});

it('is AppArmor\'s answer and nobody else\'s: under profiles that refuse nothing, all of it is opened', async () => {
  const { profiles } = shippedTypes().find(({ name }) => name === 'task')!;
  const asked = ATTACK_PATHS.filter((path) => path.includes('.') || path.endsWith('/x')).map((path) => `w ${path}`);
  const label = `${profiles.runner}//&${profiles.call}`;
  expect(kernel(label, asked)).toContain('EACCES');
  const both = { [profiles.runner]: permissive(profiles.runner), [profiles.call]: permissive(profiles.call) };
  const answers = await withProfiles(both, async () => kernel(label, asked));
  expect(asked.filter((_, n) => !['ok', 'EISDIR', 'ETXTBSY'].includes(answers[n]!))).toEqual([]);
});

function readRow([letters, pattern]: Row): { readonly letters: string; readonly matches: (path: string) => boolean } {
  return { letters, matches: matcher(pattern) };
}
