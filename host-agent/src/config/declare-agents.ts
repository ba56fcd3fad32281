// SPDX-License-Identifier: Apache-2.0
import { secretEnvironment } from './agent-environment.ts';
import { type AgentDeclaration, parseAgentFile } from './agent-file.ts';
import { agentProfile, type AgentType, callLabelOf, type CapabilityJudge, CLIENT_PROFILE, containerLabelOf, enforced, parseAgentType, reachesNetwork, typeNameOf } from './agent-type.ts';
import type { Declared, DeclaredAgent, Problem } from './declared.ts';
import { agentId } from '../identity/ids.ts';
import { effectiveFiles, type LayerFile } from './layers.ts';
import { fitDisk, fitShare, type MachineSize } from './machine-share.ts';
import { assignSlots, SLOT_COUNT, type Slots, uidOfSlot } from './slots.ts';
import { decodeText } from './text-file.ts';
import { bindSecrets } from './bind-secrets.ts';
import type { PublishedBindings } from '../secret/binding.ts';
import { agentSlice, packSlice, type UnitFile, unitsOf } from './units.ts';

export type DeclareInput = {
  readonly types: readonly LayerFile[];
  /** Weakest first. */
  readonly layers: readonly (readonly LayerFile[])[];
  readonly slots: Slots;
  readonly judge: CapabilityJudge;
  /** What holdfast-secretd publishes; null where there is none. */
  readonly bindings: { readonly path: string; readonly published: PublishedBindings } | null;
  readonly machine: MachineSize;
  readonly workspaceOf: (agent: string) => string;
  readonly doorOf: (agent: string) => string;
  readonly ownOf: (agent: string) => readonly string[];
  readonly imagesOf: (agent: string) => string;
  /** The folder of the certificates that agents trust. */
  readonly trust: string;
};

export type DeclareOutput = {
  readonly declared: Declared;
  readonly slots: Slots;
  /** By agent; two agents of one pack both bring its slice. */
  readonly unitsOf: ReadonlyMap<string, readonly UnitFile[]>;
};

/** From the bytes of the layers to everything that is to be written. Decides; touches nothing. */
export function declareAgents(input: DeclareInput): DeclareOutput {
  const problems: Problem[] = [];
  const types = readTypes(input.types, input.judge, problems);
  const effective = effectiveFiles(input.layers, SLOT_COUNT);
  problems.push(...effective.problems);

  const read: AgentDeclaration[] = [];
  for (const { path, bytes } of effective.files) {
    const text = decodeText(path, bytes);
    const parsed = text.ok ? parseAgentFile(path, text.text, types, input.judge) : text;
    if (parsed.ok && 'agent' in parsed) read.push(parsed.agent);
    else if (!parsed.ok) problems.push(...parsed.problems);
  }
  const single = withoutTwins(read, problems);
  const { slots, without } = assignSlots(input.slots, single.map(({ name }) => name));
  for (const agent of single.filter(({ name }) => without.includes(name))) {
    const message = `all ${SLOT_COUNT} slots for agents are taken, and a name keeps its slot for ever; use a name that has one`;
    problems.push({ file: agent.file, line: agent.line, message });
  }
  const agents: DeclaredAgent[] = [];
  const units = new Map<string, readonly UnitFile[]>();
  for (const declaration of fitDisk(single.map((agent) => fitShare(agent, input.machine)), input.machine)) {
    const slot = slots.get(declaration.name);
    if (slot === undefined) continue;
    const bound = bindSecrets(declaredAgent(declaration, slot, input.workspaceOf(declaration.name)), input.bindings?.published.bindings ?? [], input.judge);
    const { agent } = bound;
    problems.push(...bound.problems.map((message) => ({ file: input.bindings?.path ?? '', line: 1, message })));
    agents.push(agent);
    const { slice, type } = declaration;
    // The agent is declared all the same: it has the secret's use, but nobody told it the placeholder. Nor is it a fault of its file, which
    // could not be changed any more.
    if (agent.net !== null) for (const message of secretEnvironment(agent.secrets).problems) problems.push({ file: input.bindings?.path ?? '', line: 1, message: `${agent.name}: ${message}` });
    units.set(agent.name, unitsOf({ agent, slice, profiles: type.profiles, groups: type.groups, door: input.doorOf(agent.name), own: input.ownOf(agent.name), images: input.imagesOf(agent.name), trust: input.trust }));
  }
  return { declared: { agents, problems }, slots, unitsOf: units };
}

function readTypes(files: readonly LayerFile[], judge: CapabilityJudge, problems: Problem[]): ReadonlyMap<string, AgentType> {
  const types = new Map<string, AgentType>();
  for (const file of files) {
    const refused = (message: string): void => void problems.push({ file: file.path, line: 1, message });
    const name = typeNameOf(file.name);
    if (!name.ok) {
      refused(name.error);
      continue;
    }
    if (!file.read.ok) {
      refused(file.read.message);
      continue;
    }
    const text = decodeText(file.path, file.read.bytes);
    const parsed = text.ok ? parseAgentType(name.value, file.path, text.text, judge) : text;
    if (parsed.ok && 'type' in parsed) types.set(name.value, parsed.type);
    else if (!parsed.ok) problems.push(...parsed.problems);
  }
  return types;
}

// Which of two files means the agent cannot be known, so neither is believed.
function withoutTwins(read: readonly AgentDeclaration[], problems: Problem[]): readonly AgentDeclaration[] {
  return read.filter((agent) => {
    const twin = read.find((other) => other !== agent && other.name === agent.name);
    if (twin === undefined) return true;
    const message = `the agent name ${JSON.stringify(agent.name)} is also used in ${twin.file}:${twin.line}; rename one of them`;
    problems.push({ file: agent.file, line: agent.line, message });
    return false;
  });
}

function declaredAgent(said: AgentDeclaration, slot: number, workspace: string): DeclaredAgent {
  const { name, pack, version, type, mode, program, home, start, capabilities, limits, net, budget } = said;
  const profile = agentProfile(type.profiles, mode, home, reachesNetwork(type.ceiling));
  const slices = `/agents.slice/${packSlice(said)}/${agentSlice(said)}`;
  return {
    name,
    pack,
    id: agentId(pack, name, version),
    type: type.name,
    mode,
    uid: uidOfSlot(slot),
    program,
    home,
    profile,
    start,
    capabilities,
    ceiling: type.ceiling,
    root: type.root,
    limits,
    workspace,
    peers: { agent: `${slices}/holdfast-agent@${name}.service`, remote: '/system.slice/ssh.service' },
    peerLabels: { agent: enforced(profile), remote: enforced(CLIENT_PROFILE) },
    callLabel: callLabelOf(type.profiles),
    containerLabel: containerLabelOf(type.profiles, type.ceiling),
    net,
    secrets: [],
    budget,
  };
}
