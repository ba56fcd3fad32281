// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, type Result } from '../identity/result.ts';
import { ROOTS, type Root } from '../sandbox/image-paths.ts';
import type { CallLimits } from '../sandbox/permit.ts';
import type { DeclaredCeiling } from '../capability/ceiling.ts';
import type { NetQuota } from '../egress/host-rule.ts';
import type { Budget, Mode, Problem } from './declared.ts';
import { bytesOf, bytesText, countOf, countText, durationText, millionthsOf, millisOf, moneyText, percentOf, percentText } from './quantities.ts';
import { loadYaml } from './strict-yaml.ts';

/** What all processes of one agent together may use (R31). */
export type SliceLimits = {
  readonly memoryMax: number;
  readonly tasksMax: number;
  readonly cpuPercent: number;
  /** Bytes a second read from the disk of /var, and as many written. */
  readonly ioMax: number;
  /** Bytes on /var that files of the agent may take. */
  readonly diskMax: number;
};

/** `contained` in the place of `agent` for an agent of that mode (R103). */
export type Profiles = {
  readonly agent: string; readonly contained: string; readonly runner: string; readonly call: string;
  /** Of the runner of containers, and of what is in one. */
  readonly containers: string; readonly container: string;
};

/** Of an agent whose program runs in a container, whatever its type: it may execute what it finds there, and no more than that. */
const HOME_PROFILE = 'holdfast-home';
/** And of a type that can be granted a network. */
const HOME_NET_PROFILE = 'holdfast-home-net';

export type AgentType = {
  readonly name: string;
  readonly title: string;
  readonly ceiling: DeclaredCeiling;
  /** What an agent of this type holds when its file names no capabilities. */
  readonly capabilities: readonly string[];
  /** Whose /usr its calls see. */
  readonly root: Root;
  readonly limits: CallLimits;
  readonly slice: SliceLimits;
  readonly profiles: Profiles;
  /** The most an agent of it sends and fetches in a day; null where its ceiling has no network. */
  readonly quota: NetQuota | null;
  /** The most an agent of it spends on models. */
  readonly budget: Budget;
  /** What its agents may be (R103). */
  readonly modes: readonly Mode[];
  /** Further groups of its runner: its calls may write what these may (file modes), inside all else that bounds them. */
  readonly groups: readonly string[];
};

/** The capability grammar's word (capability/), handed in. A text that is accepted comes back as it is to be used. */
export type CapabilityJudge = {
  readonly wellFormed: (capability: string) => Result<string>;
  readonly within: (ceiling: DeclaredCeiling, capability: string) => Result<string>;
};

/** R31: CPU 200 %, memory 2 GB, 100 tasks, 100 MB/s. */
const SLICE_DEFAULTS: SliceLimits = {
  memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200, ioMax: 100 * 1024 ** 2, diskMax: 1024 ** 3,
};

// Both outputs of a call travel as base64 in one line of at most 1 MiB.
const OUTPUT_CEILING = 256 * 1024;

const list = z.array(z.string().min(1).max(4096)).max(256);
export const tasksCount = z.int().min(1).max(4096);

/** A group that owns a device or a door of ours would be a way around everything else. */
const group = z.enum(['adm', 'hf-etc']);

const mode = z.enum(['mediated', 'contained']);

const typeFile = z.strictObject({
  title: z.string().min(1).max(200),
  ceiling: z.strictObject({ allow: list, deny: list }),
  capabilities: list,
  root: z.enum(ROOTS).default('image'),
  limits: z.strictObject({
    timeout: durationText, memory: bytesText, tasks: tasksCount, output: bytesText,
    'cost/day': moneyText.optional(), 'tokens/hour': countText.optional(),
  }),
  net: z.strictObject({ quota: z.strictObject({ bytes: bytesText, requests: countText }) }).optional(),
  slice: z.strictObject({
    memory: bytesText.optional(), tasks: tasksCount.optional(), cpu: percentText.optional(), io: bytesText.optional(), disk: bytesText.optional(),
  }).optional(),
  groups: z.array(group).max(8).optional(),
  modes: z.array(mode).min(1).optional(),
});

const TYPE_NAME = /^[a-z][a-z0-9_]{0,30}$/;

/** Reads `types/NAME.yaml`. Types come with the image; one that is broken takes its agents with it and nothing else. */
export function parseAgentType(
  name: string,
  file: string,
  text: string,
  judge: CapabilityJudge,
): { readonly ok: true; readonly type: AgentType } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const loaded = loadYaml(file, text, typeFile);
  if (!loaded.ok) return loaded;
  const { title, ceiling, capabilities, root, limits, net, slice, groups, modes } = loaded.value;
  const problems: Problem[] = [];
  const output = bytesOf(limits.output);
  if (output > OUTPUT_CEILING) {
    const message = `limits.output cannot be more than ${OUTPUT_CEILING / 1024}K`;
    problems.push({ file, line: loaded.lineOf(['limits', 'output']), message });
  }
  if (reachesNetwork(ceiling) !== (net !== undefined)) {
    const message = net === undefined ? '`net` is missing, and the ceiling has net:connect' : 'there is no net:connect in the ceiling for `net` to be about';
    problems.push({ file, line: loaded.lineOf(['net']), message });
  }
  for (const half of ['allow', 'deny'] as const) {
    ceiling[half].forEach((pattern, i) => {
      const judged = judge.wellFormed(pattern);
      if (!judged.ok) problems.push({ file, line: loaded.lineOf(['ceiling', half, i]), message: judged.error });
    });
  }
  if (problems.length > 0) return { ok: false, problems };
  capabilities.forEach((capability, i) => {
    const judged = judge.within(ceiling, capability);
    if (!judged.ok) problems.push({ file, line: loaded.lineOf(['capabilities', i]), message: judged.error });
  });
  if (problems.length > 0) return { ok: false, problems };
  const type: AgentType = {
    name,
    title,
    ceiling,
    capabilities,
    root,
    limits: { timeoutMs: millisOf(limits.timeout), memoryMax: bytesOf(limits.memory), tasksMax: limits.tasks, outputMax: output },
    slice: {
      memoryMax: slice?.memory === undefined ? SLICE_DEFAULTS.memoryMax : bytesOf(slice.memory),
      tasksMax: slice?.tasks ?? SLICE_DEFAULTS.tasksMax,
      cpuPercent: slice?.cpu === undefined ? SLICE_DEFAULTS.cpuPercent : percentOf(slice.cpu),
      ioMax: slice?.io === undefined ? SLICE_DEFAULTS.ioMax : bytesOf(slice.io),
      diskMax: slice?.disk === undefined ? SLICE_DEFAULTS.diskMax : bytesOf(slice.disk),
    },
    profiles: profilesOf(name),
    quota: net === undefined ? null : { bytesPerDay: bytesOf(net.quota.bytes), requestsPerDay: countOf(net.quota.requests) },
    budget: {
      costPerDay: limits['cost/day'] === undefined ? null : millionthsOf(limits['cost/day']),
      tokensPerHour: limits['tokens/hour'] === undefined ? null : countOf(limits['tokens/hour']),
    },
    modes: modes ?? ['mediated'],
    groups: groups ?? [],
  };
  return { ok: true, type };
}

export function typeNameOf(fileName: string): Result<string> {
  const name = fileName.replace(/\.yaml$/, '');
  if (fileName.endsWith('.yaml') && TYPE_NAME.test(name)) return accept(name);
  return { ok: false, error: 'a type file must be called NAME.yaml, NAME of a-z, 0-9 and _' };
}

/** Of each type three, one more if it may be contained and two if it may hold containers (apparmor-profiles.ts makes them): nothing else says their names. */
export function profilesOf(type: string): Profiles {
  const agent = `holdfast-agent-${type}`;
  return {
    agent, contained: `${agent}-contained`, runner: `holdfast-runner-${type}`, call: `holdfast-call-${type}`,
    containers: `holdfast-containers-${type}`, container: `holdfast-container-${type}`,
  };
}

/** What the agent's own processes are under. */
export function agentProfile(profiles: Profiles, mode: Mode, home: string | null, network: boolean): string {
  if (home !== null && mode === 'mediated') return network ? HOME_NET_PROFILE : HOME_PROFILE;
  return mode === 'contained' ? profiles.contained : profiles.agent;
}

const CONTAINED = /^holdfast-agent-[a-z0-9_]+-contained$/;

/** Of the image's profiles (one a file of the same name) those by whose names the kernel records (R103). */
export function containedProfiles(files: readonly string[]): readonly string[] {
  return files.filter((name) => CONTAINED.test(name)).sort();
}

/** `holdfast mcp` behind a login with an agent's key, whatever the agent's type (apparmor.d/holdfast-cli). */
export const CLIENT_PROFILE = 'holdfast-cli';

export function enforced(profiles: string): string {
  return `${profiles} (enforce)`;
}

/**
 * The label of a call as /proc/PID/attr/current prints it. AppArmor keeps the parts of a stacked label sorted by name,
 * whatever their order in the exec rule was.
 */
export function callLabelOf({ runner, call }: Profiles): string {
  return stackOf(runner, call);
}

/** Whether its agents can be granted a way out at all: without, they have no relay and no AF_INET. */
export function reachesNetwork({ allow }: DeclaredCeiling): boolean {
  return allow.some((pattern) => pattern.startsWith('net:connect:'));
}

/** Of a container; null for a type that can hold none. */
export function containerLabelOf({ containers, container }: Profiles, ceiling: DeclaredCeiling): string | null {
  return ceiling.allow.some((pattern) => pattern.startsWith('container:run:')) ? stackOf(containers, container) : null;
}

function stackOf(...profiles: readonly string[]): string {
  return enforced(profiles.toSorted().join('//&'));
}
