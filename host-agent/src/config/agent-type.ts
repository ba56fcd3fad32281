// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, type Result } from '../identity/result.ts';
import type { CallLimits } from '../sandbox/permit.ts';
import type { DeclaredCeiling } from '../capability/ceiling.ts';
import type { Problem } from './declared.ts';
import { bytesOf, bytesText, durationText, millisOf, percentOf, percentText } from './quantities.ts';
import { loadYaml } from './strict-yaml.ts';

/** What all processes of one agent together may use (R31). */
export type SliceLimits = { readonly memoryMax: number; readonly tasksMax: number; readonly cpuPercent: number };

export type Profiles = { readonly agent: string; readonly runner: string; readonly call: string };

export type AgentType = {
  readonly name: string;
  readonly title: string;
  readonly ceiling: DeclaredCeiling;
  /** What an agent of this type holds when its file names no capabilities. */
  readonly capabilities: readonly string[];
  readonly limits: CallLimits;
  readonly slice: SliceLimits;
  readonly profiles: Profiles;
};

/** The capability grammar's word (capability/), handed in. A text that is accepted comes back as it is to be used. */
export type CapabilityJudge = {
  readonly wellFormed: (capability: string) => Result<string>;
  readonly within: (ceiling: DeclaredCeiling, capability: string) => Result<string>;
};

/** R31: CPU 200 %, memory 2 GB, 100 tasks. */
const SLICE_DEFAULTS: SliceLimits = { memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200 };

// Both outputs of a call travel as base64 in one line of at most 1 MiB.
const OUTPUT_CEILING = 256 * 1024;

const list = z.array(z.string().min(1).max(4096)).max(256);
export const tasksCount = z.int().min(1).max(4096);
const profile = z.string().regex(/^holdfast-[a-z0-9_-]{1,60}$/, 'must be the name of one of our AppArmor profiles (holdfast-…)');

const typeFile = z.strictObject({
  title: z.string().min(1).max(200),
  ceiling: z.strictObject({ allow: list, deny: list }),
  capabilities: list,
  limits: z.strictObject({ timeout: durationText, memory: bytesText, tasks: tasksCount, output: bytesText }),
  slice: z.strictObject({ memory: bytesText.optional(), tasks: tasksCount.optional(), cpu: percentText.optional() }).optional(),
  profiles: z.strictObject({ agent: profile, runner: profile, call: profile }),
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
  const { title, ceiling, capabilities, limits, slice, profiles } = loaded.value;
  const problems: Problem[] = [];
  const output = bytesOf(limits.output);
  if (output > OUTPUT_CEILING) {
    const message = `limits.output cannot be more than ${OUTPUT_CEILING / 1024}K`;
    problems.push({ file, line: loaded.lineOf(['limits', 'output']), message });
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
    limits: { timeoutMs: millisOf(limits.timeout), memoryMax: bytesOf(limits.memory), tasksMax: limits.tasks, outputMax: output },
    slice: {
      memoryMax: slice?.memory === undefined ? SLICE_DEFAULTS.memoryMax : bytesOf(slice.memory),
      tasksMax: slice?.tasks ?? SLICE_DEFAULTS.tasksMax,
      cpuPercent: slice?.cpu === undefined ? SLICE_DEFAULTS.cpuPercent : percentOf(slice.cpu),
    },
    profiles,
  };
  return { ok: true, type };
}

export function typeNameOf(fileName: string): Result<string> {
  const name = fileName.replace(/\.yaml$/, '');
  if (fileName.endsWith('.yaml') && TYPE_NAME.test(name)) return accept(name);
  return { ok: false, error: 'a type file must be called NAME.yaml, NAME of a-z, 0-9 and _' };
}

/**
 * The label of a call as /proc/PID/attr/current prints it. AppArmor keeps the parts of a stacked label sorted by name,
 * whatever their order in the exec rule was.
 */
export function callLabelOf(profiles: Profiles): string {
  const [first, second] = [profiles.runner, profiles.call].sort();
  return `${first}//&${second} (enforce)`;
}
