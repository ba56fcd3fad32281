// SPDX-License-Identifier: Apache-2.0

// Forms of proc(5) and of cgroup v2 files. A line that does not have its form is null: unread, never zero.

/** USER_HZ and the page size of amd64, the only machine the image is built for. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export type ProcessStat = { readonly command: string; readonly state: string; readonly cpuMs: number; readonly rssBytes: number };

/** /proc/PID/stat. The name in it is the process's own choice and may hold spaces and `)`. */
export function parseStat(text: string): ProcessStat | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open === -1 || close < open) return null;
  const fields = text.slice(close + 2).trimEnd().split(' ');
  const [state, utime, stime, rss] = [fields[0], Number(fields[11]), Number(fields[12]), Number(fields[21])];
  if (state === undefined || !/^[A-Za-z]$/.test(state) || ![utime, stime, rss].every(Number.isSafeInteger)) return null;
  return { command: text.slice(open + 1, close), state, cpuMs: (utime + stime) * TICK_MS, rssBytes: Math.max(0, rss) * PAGE_BYTES };
}

/** cgroup.procs. 0 stands for a process outside our view. */
export function parseProcs(text: string): readonly number[] {
  return text.split('\n').filter((line) => /^[1-9][0-9]{0,9}$/.test(line)).map(Number);
}

/** /proc/loadavg, in thousandths. */
export function parseLoad(text: string): { readonly one: number; readonly five: number; readonly fifteen: number } | null {
  const found = /^(\d+\.\d\d) (\d+\.\d\d) (\d+\.\d\d) /.exec(text);
  if (found === null) return null;
  const [one, five, fifteen] = found.slice(1).map((part) => Math.round(Number(part) * 1000));
  return { one: one!, five: five!, fifteen: fifteen! };
}

/** /proc/stat: how many CPUs are online, and their time since boot. */
export function parseCpu(text: string): { readonly cpus: number; readonly busyMs: number; readonly idleMs: number } | null {
  const all = /^cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m.exec(text);
  const cpus = text.match(/^cpu\d+ /gm)?.length ?? 0;
  if (all === null || cpus === 0) return null;
  // user, nice, system, idle, iowait, irq, softirq
  const times = all.slice(1).map(Number);
  const idle = times[3]! + times[4]!;
  const sum = times.reduce((total, time) => total + time, 0);
  return { cpus, busyMs: (sum - idle) * TICK_MS, idleMs: idle * TICK_MS };
}

/** One line of /proc/meminfo, in bytes. */
export function parseMemory(text: string, name: string): number | null {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text);
  return found === null ? null : Number(found[1]) * 1024;
}

/** /proc/uptime, in milliseconds. */
export function parseUptime(text: string): number | null {
  const found = /^(\d+)\.(\d\d) /.exec(text);
  return found === null ? null : Number(found[1]) * 1000 + Number(found[2]) * 10;
}
