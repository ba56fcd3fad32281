// SPDX-License-Identifier: Apache-2.0
// What follows from the agent types that the image ships and is not written by hand (run by build.ts): their AppArmor profiles, and
// the services that polkit lets holdfastd start and stop.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repository } from '../image/host/workplace.ts';
import { parseAgentType, typeNameOf, type AgentType } from './src/config/agent-type.ts';
import { profilesOfType } from './src/config/apparmor-profiles.ts';
import { capabilityJudge } from './src/config/capability-judge.ts';
import { serviceRules } from './src/config/service-rules.ts';

const TYPES = join(repository, 'rootfs-overlay/usr/lib/holdfast/types');

/** A type that cannot be read ends the build: the machine would only leave its agents out. */
export function shippedTypes(): readonly AgentType[] {
  return readdirSync(TYPES).sort().map((file) => {
    const name = typeNameOf(file);
    if (!name.ok) throw new Error(`${file}: ${name.error}`);
    const parsed = parseAgentType(name.value, file, readFileSync(join(TYPES, file), 'utf8'), capabilityJudge);
    if (!parsed.ok) throw new Error(parsed.problems.map((p) => `${p.file}:${p.line}: ${p.message}`).join('\n'));
    return parsed.type;
  });
}

/** Below `root`, laid out as /. */
export function writeTypeFiles(root: string): void {
  const types = shippedTypes();
  write(join(root, 'usr/share/polkit-1/rules.d/40-holdfast-services.rules'), serviceRules(types));
  for (const type of types) {
    for (const { name, text } of profilesOfType(type)) write(join(root, 'etc/apparmor.d', name), text);
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
