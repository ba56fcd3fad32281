// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeclaredAgent } from '../config/declared.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { Observation } from '../tools/tool.ts';
import { unifiedGroup } from './peer.ts';
import { parseCpu, parseLoad, parseMemory, parseProcs, parseStat, parseUptime } from './proc-text.ts';

/** Where the kernel's files are, and who knows about units. No command is ever run for an observation. */
export type HostSources = {
  readonly cgroupRoot: string;
  readonly proc: string;
  readonly varDir: string;
  readonly unitState: (unit: string) => Promise<Result<UnitFacts>>;
};

export type UnitFacts = { readonly active: string; readonly sub: string; readonly load: string; readonly since: string | null };

type Observed = Pick<DeclaredAgent, 'name' | 'peers'>;
type GroupCount = { left: number; unread: number };
type Member = { readonly pid: number; readonly group: string };

/** Bounds on what an agent can make us read: its own slice is its own to fill with groups and processes. */
const MAX_PROCESSES = 200;
const MAX_GROUPS = 256;
const MAX_DEPTH = 6;

/** What the tools with `runs: observe` report: shapes are those of their `seen…` schemas. */
export async function observeHost(agent: Observed, observation: Observation, sources: HostSources): Promise<Result<JsonObject>> {
  switch (observation.what) {
    case 'processes':
      return observeProcesses(agent, sources);
    case 'metrics':
      return observeMetrics(sources);
    case 'service': {
      const state = await sources.unitState(observation.unit);
      if (!state.ok) return state;
      const { active, sub, load, since } = state.value;
      return accept({ unit: observation.unit, active, sub, load, since });
    }
  }
}

async function observeProcesses(agent: Observed, sources: HostSources): Promise<Result<JsonObject>> {
  const slice = agent.peers.agent.slice(0, agent.peers.agent.lastIndexOf('/'));
  if (!/^(?:\/[^/]+)+$/.test(slice)) return refuse(`cannot list processes: agent ${agent.name} has no slice of its own`);
  const members: Member[] = [];
  const groups = { left: MAX_GROUPS, unread: 0 };
  await collect(sources, slice, 0, groups, members);
  const processes: JsonObject[] = [];
  let missing = 0;
  for (const { pid, group } of members) {
    if (processes.length >= MAX_PROCESSES) missing += 1;
    else {
      const seen = await describe(sources, pid, group);
      if (seen !== null) processes.push({ pid, of: partOf(group.slice(slice.length + 1)), ...seen });
    }
  }
  return accept({ processes, missing, unread_groups: groups.unread });
}

async function collect(sources: HostSources, group: string, depth: number, groups: GroupCount, into: Member[]): Promise<void> {
  if (depth > MAX_DEPTH || groups.left <= 0) {
    groups.unread += 1;
    return;
  }
  groups.left -= 1;
  const dir = join(sources.cgroupRoot, group);
  const procs = await readText(join(dir, 'cgroup.procs'));
  for (const pid of parseProcs(procs ?? '')) into.push({ pid, group });
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const name of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort()) {
    await collect(sources, `${group}/${name}`, depth + 1, groups, into);
  }
}

/** Null when the process has gone, or its number has passed to a process of somebody else between the two readings. */
async function describe(sources: HostSources, pid: number, group: string): Promise<JsonObject | null> {
  const stat = parseStat((await readText(join(sources.proc, String(pid), 'stat'))) ?? '');
  const now = unifiedGroup((await readText(join(sources.proc, String(pid), 'cgroup'))) ?? '');
  if (stat === null || now !== group) return null;
  return { command: stat.command, state: stat.state, cpu_ms: stat.cpuMs, rss_bytes: stat.rssBytes };
}

/** `agent`, `runner`, `call`, or the unit's own name, from the path below the agent's slice. */
function partOf(path: string): string {
  const [unit = '', ...below] = path.split('/');
  const [, role] = /^holdfast-(agent|runner|relay)@/.exec(unit) ?? [];
  if (role === undefined) return unit;
  return role === 'runner' && below.length > 0 && below[0] !== 'main' ? 'call' : role;
}

export async function observeMetrics(sources: Pick<HostSources, 'proc' | 'varDir'>): Promise<Result<JsonObject>> {
  const [loadText, statText, memText, upText] = await Promise.all(
    ['loadavg', 'stat', 'meminfo', 'uptime'].map(async (name) => (await readText(join(sources.proc, name))) ?? ''),
  );
  const load = parseLoad(loadText!);
  const cpu = parseCpu(statText!);
  const uptime = parseUptime(upText!);
  const memory = memoryOf(memText!);
  const disk = await statfs(sources.varDir).catch(() => null);
  if (load === null || cpu === null || uptime === null || memory === null || disk === null) {
    return refuse('cannot measure the machine: a file of /proc or the space on /var could not be read');
  }
  const { blocks, bavail, bsize, files, ffree } = disk;
  return accept({
    cpus: cpu.cpus,
    load_milli: load,
    cpu_busy_ms: cpu.busyMs,
    cpu_idle_ms: cpu.idleMs,
    memory,
    uptime_ms: uptime,
    var: { total_bytes: blocks * bsize, available_bytes: bavail * bsize, files_total: files, files_free: ffree },
  });
}

function memoryOf(text: string): JsonObject | null {
  const read = (name: string): number => parseMemory(text, name) ?? Number.NaN;
  const memory = {
    total_bytes: read('MemTotal'),
    available_bytes: read('MemAvailable'),
    swap_total_bytes: read('SwapTotal'),
    swap_free_bytes: read('SwapFree'),
  };
  return Object.values(memory).every(Number.isSafeInteger) ? memory : null;
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
