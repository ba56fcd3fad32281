// SPDX-License-Identifier: Apache-2.0
import { formatCapability, parseCapability } from '../capability/capability.ts';
import { parseCeiling, withinCeiling } from '../capability/ceiling.ts';
import { accept } from '../identity/result.ts';
import type { CapabilityJudge } from './agent-type.ts';

/** By it holdfast-declare declares agents, and holdfastd says beforehand what holdfast-declare will say. */
export const capabilityJudge: CapabilityJudge = {
  wellFormed: (text) => {
    const capability = parseCapability(text);
    return capability.ok ? accept(formatCapability(capability.value)) : capability;
  },
  within: (declared, text) => {
    const capability = parseCapability(text);
    if (!capability.ok) return capability;
    const ceiling = parseCeiling(declared);
    if (!ceiling.ok) return ceiling;
    const held = withinCeiling(ceiling.value, capability.value);
    return held.ok ? accept(formatCapability(capability.value)) : held;
  },
};
