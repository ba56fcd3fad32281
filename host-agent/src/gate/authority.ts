// SPDX-License-Identifier: Apache-2.0
import { indexCapabilities, type CapabilityIndex } from '../capability/capability-index.ts';
import { formatCapability, type Capability } from '../capability/capability.ts';
import { parseCapabilities, parseCeiling, withinCeiling, type Ceiling } from '../capability/ceiling.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/** What an agent is and may be, parsed once from its declaration; nothing reads the declared texts again. */
export type AgentAuthority = {
  readonly name: DeclaredAgent['name'];
  readonly pack: DeclaredAgent['pack'];
  readonly id: DeclaredAgent['id'];
  readonly type: string;
  readonly mode: DeclaredAgent['mode'];
  readonly root: DeclaredAgent['root'];
  readonly limits: DeclaredAgent['limits'];
  readonly net: DeclaredAgent['net'];
  readonly secrets: DeclaredAgent['secrets'];
  readonly budget: DeclaredAgent['budget'];
  /** Held from the start and for ever, without a grant. */
  readonly defaults: readonly Capability[];
  readonly defaultIndex: CapabilityIndex;
  readonly ceiling: Ceiling;
};

/** An agent whose authority cannot be read whole is not served (A01). */
export function authorityOf(agent: DeclaredAgent): Result<AgentAuthority> {
  const ceiling = parseCeiling(agent.ceiling);
  if (!ceiling.ok) return refuse(`cannot serve agent ${agent.name}: ${ceiling.error}`);
  const defaults = parseCapabilities(agent.capabilities);
  if (!defaults.ok) return refuse(`cannot serve agent ${agent.name}: ${defaults.error}`);
  for (const capability of defaults.value) {
    const within = withinCeiling(ceiling.value, capability);
    const what = `its default ${formatCapability(capability)} is refused`;
    if (!within.ok) return refuse(`cannot serve agent ${agent.name}: ${what}: ${within.error}`);
  }
  return accept({
    name: agent.name,
    pack: agent.pack,
    id: agent.id,
    type: agent.type,
    mode: agent.mode,
    root: agent.root,
    limits: agent.limits,
    net: agent.net,
    secrets: agent.secrets,
    budget: agent.budget,
    defaults: defaults.value,
    defaultIndex: indexCapabilities(defaults.value),
    ceiling: ceiling.value,
  });
}
