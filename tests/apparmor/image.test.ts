// SPDX-License-Identifier: Apache-2.0
// What each type's profiles let write and execute, as compiled into the image, over every path of its root and a list of what an
// attacker would try. A difference from the reviewed text is a decision for a person: read it, then `vitest -u`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { containerLabelOf } from '../../host-agent/src/config/agent-type.ts';
import { shippedTypes } from '../../host-agent/type-files.ts';
import { buildImage } from '../../image/host/build-image.ts';
import { ATTACK_PATHS } from './attack-paths.ts';
import { reviewOf } from './derive.ts';
import { withImageRoot } from '../../image/host/image-root.ts';
import { readPolicy, type Policy } from './policy.ts';

const TYPES = shippedTypes();
const profilesOf = ({ profiles, modes, ceiling }: (typeof TYPES)[number]): readonly string[] => [
  profiles.call, profiles.runner, profiles.agent,
  ...(modes.includes('contained') ? [profiles.contained] : []),
  ...(containerLabelOf(profiles, ceiling) === null ? [] : [profiles.container, profiles.containers]),
];
const policies = new Map<string, Policy>();
let paths: readonly string[] = [];

beforeAll(async () => {
  await withImageRoot((await buildImage()).raw, (root) => {
    paths = [...new Set([...readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => `/${path}`), ...ATTACK_PATHS])];
    const built = join(root, 'usr/lib/holdfast/apparmor-cache');
    for (const set of readdirSync(built)) {
      for (const name of TYPES.flatMap(profilesOf)) policies.set(name, readPolicy(readFileSync(join(built, set, name))));
    }
  });
}, 900_000);

describe.each(TYPES.map((type) => [type.name, type] as const))('type %s', (name, type) => {
  it('writes and executes what was reviewed, and nothing else', async () => {
    expect(paths.length).toBeGreaterThan(5_000);
    const reviews = profilesOf(type).map((profile) => reviewOf(policies.get(profile)!, paths));
    await expect(reviews.join('\n')).toMatchFileSnapshot(`reviewed/${name}.txt`);
  });

  it('calls and containers have no capability, no network, no mount and no user namespace, and write below /usr, /boot and the product nowhere', () => {
    const never = /^\/(?:usr|boot|efi|(?:var\/)?run\/holdfast[^/]*|var\/lib\/holdfast[^/]*)(?:\/|$)|^\/etc\/(?:g?shadow|passwd|group)/;
    for (const profile of [type.profiles.call, type.profiles.container].filter((profile) => profilesOf(type).includes(profile))) {
      const policy = policies.get(profile)!;
      expect([policy.mode, policy.capabilities, policy.network.filter((line) => !line.startsWith('unix '))]).toEqual(['enforce', [], []]);
      expect(policy.classes.filter((word) => ['mount', 'ptrace', 'userns'].includes(word))).toEqual([]);
      expect(paths.filter((path) => never.test(path)).filter((path) => /[wal]/.test(policy.file(path).letters))).toEqual([]);
    }
  });
});
