// SPDX-License-Identifier: Apache-2.0
import { profilesOf } from '../config/agent-type.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import { hasRelay } from '../config/units.ts';
import { agentUnit, containersUnit, relayUnit, runnerUnit } from '../door/agent-units.ts';
import type { Confined } from '../effects/posture.ts';

/** Which of our processes must be under which profile (image: apparmor.d). */
export function confinedUnits(agents: readonly DeclaredAgent[]): readonly Confined[] {
  const own = [
    { unit: 'holdfastd.service', profile: 'holdfastd', mustRun: true },
    { unit: 'holdfast-ledger.service', profile: 'holdfast-ledger', mustRun: true },
    { unit: 'holdfast-egress.service', profile: 'holdfast-egress', mustRun: true },
    { unit: 'holdfast-secretd.service', profile: 'holdfast-secretd', mustRun: true },
  ];
  return [
    ...own,
    ...agents.filter(hasRelay).map(({ name }) => ({ unit: relayUnit(name), profile: 'holdfast-relay', mustRun: false })),
    ...agents.flatMap(({ name, type, profile, containerLabel }) => [
      { unit: agentUnit(name), profile, mustRun: false },
      { unit: runnerUnit(name), profile: profilesOf(type).runner, mustRun: false },
      ...(containerLabel === null ? [] : [{ unit: containersUnit(name), profile: profilesOf(type).containers, mustRun: false }]),
    ]),
  ];
}

/** Units whose acts the recorder must record (R103). */
export function containedUnits(agents: readonly DeclaredAgent[]): readonly string[] {
  return agents.filter(({ mode }) => mode === 'contained').map(({ name }) => agentUnit(name));
}
