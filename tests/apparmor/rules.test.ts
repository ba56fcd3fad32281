// SPDX-License-Identifier: Apache-2.0
// Capabilities and AppArmor mean the same by a pattern: both matchers over the same paths, AppArmor's as the parser compiled it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, parseCapability, requestFor } from '../../host-agent/src/capability/capability.ts';
import { appArmorPaths } from '../../host-agent/src/config/apparmor-rules.ts';
import { profilesOfType } from '../../host-agent/src/config/apparmor-profiles.ts';
import { profilesOf } from '../../host-agent/src/config/agent-type.ts';
import type { Result } from '../../host-agent/src/identity/result.ts';
import { compiled } from './compiled.ts';
import type { Policy } from './policy.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 150);
/** Everything that AppArmor's own grammar gives a meaning, hidden names, and bytes beyond ASCII. */
const NAMES = ['a', 'b', 'ab', '.a', '.', 'a.b', '{a,b}', '[ab]', 'a?', '^a', 'a\\b', 'a"b', 'a b', 'a,b', '@{PROC}', '$a', '#a', 'é', '~', '-', '%61', '\\052', 'a:b', '(a)', '\\x2a'];

const name = fc.constantFrom(...NAMES.filter((n) => n !== '.'));
const segment = fc.oneof(name, name, fc.constant('*'), fc.constant('**'), fc.tuple(name, name).map(([a, b]) => `${a}*${b}`), name.map((n) => `*${n}`), name.map((n) => `${n}*`));
const pattern = fc.oneof(fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`), fc.constantFrom('*', '/', '/**', '/*'));

/** Paths at the edges of a pattern: each star filled with nothing, a name, several; one segment more and one less. */
const FILLS = ['', 'a', '.a', 'a/b', 'b/.a/ab', '*', '{a,b}'];
function pathsNear(text: string): readonly string[] {
  const filled = FILLS.map((fill) => text.replaceAll('**', fill).replaceAll('*', fill.split('/')[0]!));
  const near = filled.flatMap((path) => [path, `${path}/a`, `${path}/.b/a`, path.slice(0, path.lastIndexOf('/')) || '/', `${path}x`]);
  return [...new Set([...near, '/', '/a', '/.a', '/a/b', '/a/b/ab', '/*', '/x y'].map(plain))];
}

function plain(path: string): string {
  return `/${path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..').join('/')}`;
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

test(`${COUNT} patterns: AppArmor matches what the capability covers, as a file and as a directory, and nothing else`, async () => {
  const patterns = [...new Set(fc.sample(pattern, { numRuns: COUNT, seed: 7 }))];
  const files = patterns.map((text, n) => ({ name: `holdfast-t${n}`, text: profileOf(`holdfast-t${n}`, appArmorPaths(text)) }));
  const policies = await compiled(files);
  let matched = 0;
  let compared = 0;
  patterns.forEach((text, n) => {
    const held = must(parseCapability(`fs:read:${text}`));
    const policy = policies.get(`holdfast-t${n}`)!;
    for (const path of pathsNear(text)) {
      const asked = requestFor('fs', 'read', path);
      // Below /proc names are not judged at all.
      if (!asked.ok) continue;
      const covered = covers(held, asked.value);
      const shown = [path, ...(path === '/' ? [] : [`${path}/`])].map((form) => policy.file(form).letters);
      expect(shown, `${text} on ${path}`).toEqual(shown.map(() => (covered ? 'r' : '')));
      matched += Number(covered);
      compared += 1;
    }
  });
  expect(matched).toBeGreaterThan(patterns.length);
  expect(compared - matched).toBeGreaterThan(patterns.length);
});

function profileOf(profile: string, paths: readonly string[]): string {
  return `abi <abi/4.0>,\nprofile ${profile} {\n${paths.map((path) => `  ${path} r,\n`).join('')}}\n`;
}

describe('the profiles of a type', () => {
  const type = (allow: readonly string[], deny: readonly string[] = []) => ({ name: 't', ceiling: { allow, deny }, profiles: profilesOf('t'), modes: ['mediated', 'contained'] as const });
  const of = async (allow: readonly string[], deny: readonly string[] = []): Promise<Record<'agent' | 'contained' | 'runner' | 'call', Policy>> => {
    const policies = await compiled(profilesOfType(type(allow, deny)));
    const one = (name: string) => policies.get(`holdfast-${name}`)!;
    return { agent: one('agent-t'), contained: one('agent-t-contained'), runner: one('runner-t'), call: one('call-t') };
  };

  test('a call reaches what the ceiling allows, its runner too, the agent\'s own program not', async () => {
    const { agent, runner, call } = await of(['fs:read:/srv/**', 'fs:write:/srv/w/**', 'fs:delete:/srv/d/*'], ['fs:read:/srv/secret/**', 'fs:write:/srv/w/keep']);
    const letters = (path: string) => call.file(path).letters;
    expect(['/srv/a', '/srv/w/x', '/srv/d/x', '/srv/d/x/y'].map(letters)).toEqual(['r', 'rwalk', 'rwa', 'r']);
    expect(['/srv', '/srv/', '/srv/secret/a', '/srv/w/keep', '/other'].map(letters)).toEqual(['', '', '', 'rk', '']);
    expect([runner.file('/srv/w/x').letters, agent.file('/srv/w/x').letters]).toEqual(['rwalk', '']);
  });

  test('a contained agent has the tools of the image and writes in its workspace, and nothing more than a mediated one besides (R103)', async () => {
    const { agent, contained } = await of(['fs:write:/srv/**', 'process:run:*']);
    const programs = ['/usr/bin/dash', '/usr/lib/git-core/git', '/workspace/x', '/tmp/x', '/usr/lib/holdfast/call-init', '/usr/lib/holdfast/file-tool', '/srv/x'];
    expect(programs.map((path) => contained.file(path).exec)).toEqual(['ix', 'ix', 'ix', 'ix', null, null, null]);
    expect(programs.map((path) => agent.file(path).exec)).toEqual(programs.map(() => null));
    const places = ['/workspace/x', '/tmp/x', '/usr/bin/dash', '/etc/passwd', '/srv/x', '/run/holdfast/operator.sock', '/var/lib/x', '/dev/shm/x'];
    expect(places.filter((path) => contained.file(path).letters.includes('w'))).toEqual(['/workspace/x', '/tmp/x']);
    expect(places.filter((path) => agent.file(path).letters.includes('w'))).toEqual(['/tmp/x']);
    expect([contained.capabilities, contained.network, contained.classes]).toEqual([agent.capabilities, agent.network, agent.classes]);
  });

  test('of a type that can be granted a network the agent\'s own programs speak to their relay by streams of IPv4, and nobody else to anybody', async () => {
    const [alone, net] = [await of(['process:run:*']), await of(['process:run:*', 'net:connect:*.example.org:443'])];
    const inet = ({ network }: Policy) => network.filter((line) => !line.startsWith('unix '));
    expect([inet(net.agent), inet(net.contained)]).toEqual([['inet stream'], ['inet stream']]);
    expect([alone.agent, alone.contained, alone.runner, alone.call, net.runner, net.call].flatMap(inet)).toEqual([]);
    const trusted = '/run/holdfast-egress-trust/ca-bundle.pem';
    expect([net.agent, net.contained, net.call, alone.agent].map((policy) => policy.file(trusted).letters)).toEqual(['r', 'r', '', '']);
  });

  test('only a type that may run programs has what programs need', async () => {
    const [without, runs] = [await of(['fs:read:/srv/**']), await of(['process:run:git'])];
    const seen = ({ call }: { call: Policy }) => ['/usr/bin/git', '/tmp/x', '/workspace/x', '/etc/passwd'].map((path) => call.file(path));
    expect(seen(without)).toEqual(Array(4).fill({ letters: '', exec: null }));
    expect(seen(runs).map(({ exec }) => exec)).toEqual(['ix', 'ix', 'ix', null]);
    // What every call inherits is a stream to its runner.
    expect([without.call.network, runs.call.network]).toEqual([['unix stream'], expect.arrayContaining(['unix stream', 'unix dgram'])]);
  });

  test('what is denied of the product is not denied to the two programs that every call is made of', async () => {
    const { runner, call } = await of(['process:run:*'], ['fs:read:/usr/lib/holdfast', 'fs:read:/usr/lib/holdfast/**']);
    expect(call.file('/usr/lib/holdfast/bin/holdfast')).toEqual({ letters: '', exec: null });
    expect(call.file('/usr/lib/holdfast/file-tool')).toEqual({ letters: 'rm', exec: 'ix' });
    expect(call.file('/usr/lib/holdfast/call-init').letters).toBe('rm');
    expect(runner.file('/usr/lib/holdfast/call-init').exec).toBe('px holdfast-runner-t//&holdfast-call-t');
  });

  test('no ceiling opens the product, the image or the accounts to a call', async () => {
    const { call } = await of(['fs:read:*', 'fs:write:*', 'fs:delete:*', 'process:run:*']);
    const writable = ['/srv/x', '/usr/x', '/boot/x', '/efi/x', '/etc/passwd', '/etc/shadow', '/etc/nginx/x', '/var/lib/holdfast-ledger/x', '/run/holdfast/operator.sock']
      .filter((path) => call.file(path).letters.includes('w'));
    expect(writable).toEqual(['/srv/x', '/etc/nginx/x']);
    expect(['/etc/shadow', '/var/lib/holdfast-ledger/x'].map((path) => call.file(path).letters)).toEqual(['', '']);
  });

  test('an action of files that AppArmor has no word for is no type', () => {
    expect(() => profilesOfType(type(['fs:chown:/srv/**']))).toThrow('there is no AppArmor rule for fs:chown');
  });
});
