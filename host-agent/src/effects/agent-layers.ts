// SPDX-License-Identifier: Apache-2.0
import { statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { basename } from 'node:path';
import { capabilityJudge } from '../config/capability-judge.ts';
import { declareAgents, type DeclareInput } from '../config/declare-agents.ts';
import type { Declared, Problem } from '../config/declared.ts';
import { withStrongest } from '../config/layers.ts';
import type { MachineSize } from '../config/machine-share.ts';
import { slotOfUid } from '../config/slots.ts';
import { imageAccounts } from './account-names.ts';
import { readLayer } from './agent-files.ts';
import { readSecretBindings } from './secret-bindings.ts';
import type { Paths } from './paths.ts';

/** Types and agent files as they lie there: all that holdfast-declare goes by, but for the slots, which only root can read. */
export type AgentLayers = { readonly input: Omit<DeclareInput, 'slots'>; readonly problems: readonly Problem[] };

/** `self` is who owns what comes with the image: root, but for a test under a root of its own. */
export function readAgentLayers(root: string, paths: Paths, self: number, holdfast: number): AgentLayers {
  const types = readLayer(root, paths.types, [0, self]);
  const owners = (layer: string): readonly number[] => (layer === paths.operatorAgentLayer ? [0, self, holdfast] : [0, self]);
  const layers = paths.agentLayers.map((layer) => readLayer(root, layer, owners(layer)));
  const secretd = imageAccounts(root).uidOf('holdfast-secret');
  const bindings = readSecretBindings(root, paths.secretBindings, secretd === null ? [0, self] : [0, self, secretd]);
  const input = {
    types: types.files,
    layers: layers.map(({ files }) => files),
    judge: capabilityJudge,
    bindings: bindings.published === null ? null : { path: paths.secretBindings, published: bindings.published },
    machine: machineSize(root),
    workspaceOf: (agent: string) => `${paths.workspaces}/${agent}`,
    doorOf: (agent: string) => `${paths.agentDoors}/${agent}`,
    trust: paths.egressTrust,
    imagesOf: (agent: string) => `${paths.images}/${agent}`,
    ownOf: (agent: string) => [`${paths.restorePoints}/${agent}`, `${paths.transfers}/${agent}`, `${paths.images}/${agent}/new`],
  };
  return { input, problems: [...types.problems, ...layers.flatMap((layer) => layer.problems), ...bindings.problems] };
}

function machineSize(root: string): MachineSize {
  const { blocks, bsize } = statfsSync(`${root}/var`);
  return { memory: totalmem(), processors: availableParallelism(), disk: blocks * bsize };
}

/**
 * What holdfast-declare would declare if `text` lay at `path` in the operators' layer, or nothing did. Names of agents that are gone keep
 * their slots, which is not seen from here: it may find them all taken, and what it says then holds.
 */
export function foreseeAgents(root: string, paths: Paths, now: Declared, path: string, text: string | null): Declared {
  const own = process.geteuid?.() ?? 0;
  const { input, problems } = readAgentLayers(root, paths, root === '' ? 0 : own, own);
  const file = text === null ? null : { path, name: basename(path), read: { ok: true, bytes: new TextEncoder().encode(text) } } as const;
  const layers = withStrongest(input.layers, basename(path), file);
  const slots = new Map(now.agents.map(({ name, uid }) => [name, slotOfUid(uid)]));
  const { declared } = declareAgents({ ...input, layers, slots });
  return { agents: declared.agents, problems: [...problems, ...declared.problems] };
}
