// SPDX-License-Identifier: Apache-2.0
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallLimits, Observed } from '../sandbox/permit.ts';

const WANTED = ['cpu', 'io', 'memory', 'pids'];
const PREFIX = 'call-';

/** The control group of one call: its limits, its measure, and the way to end all of it at once. */
export type CallCgroup = {
  readonly path: string;
  /** Every process in it, whatever it does about signals. */
  readonly kill: () => void;
  readonly observe: (wallMs: number) => Observed;
  /** After the last process has gone; false when the kernel still holds it. */
  readonly remove: () => Promise<boolean>;
};

/** Gives the groups below `parent` the controllers that it has. The runner itself must not be in `parent` but beside the calls. */
export function prepareParent(parent: string): void {
  const available = wordsOf(`${parent}/cgroup.controllers`);
  const wanted = WANTED.filter((c) => available.includes(c));
  if (wanted.length > 0) writeFileSync(`${parent}/cgroup.subtree_control`, wanted.map((c) => `+${c}`).join(' '));
  // Left by a runner that was killed. call-launch ends with its parent, so only what resisted that is still in them.
  for (const entry of readdirSync(parent, { withFileTypes: true })) {
    if (entry.isDirectory() && entry.name.startsWith(PREFIX)) void groupAt(`${parent}/${entry.name}`).remove();
  }
}

/** Throws when a limit cannot be set: a call without its limits does not run. */
export function makeCallCgroup(parent: string, call: string, limits: CallLimits): CallCgroup {
  const path = `${parent}/${PREFIX}${call}`;
  // Not recursive: an existing group would be another call's.
  mkdirSync(path);
  try {
    // For holdfastd, which looks at the label of every process in it.
    chmodSync(path, 0o755);
    const has = wordsOf(`${path}/cgroup.controllers`);
    if (has.includes('memory')) {
      writeFileSync(`${path}/memory.max`, String(limits.memoryMax));
      writeIfThere(`${path}/memory.swap.max`, '0');
      // All of the call or nothing: half of a pipeline gives half a result.
      writeFileSync(`${path}/memory.oom.group`, '1');
    }
    if (has.includes('pids')) writeFileSync(`${path}/pids.max`, String(limits.tasksMax));
    // The runner beside it has 100: it must come to its turn to end a call that wants all of the agent's time.
    if (has.includes('cpu')) writeFileSync(`${path}/cpu.weight`, '20');
  } catch (fault) {
    rmdirSync(path);
    throw fault;
  }
  return groupAt(path);
}

function groupAt(path: string): CallCgroup {
  const kill = (): void => writeIfThere(`${path}/cgroup.kill`, '1');
  return { path, kill, observe: (wallMs) => observe(path, wallMs), remove: () => remove(path, kill) };
}

function observe(path: string, wallMs: number): Observed {
  try {
    const usage = /^usage_usec (\d+)$/m.exec(readFileSync(`${path}/cpu.stat`, 'utf8'))?.[1];
    if (usage === undefined) return { by: 'none' };
    return {
      by: 'cgroup',
      cpuUsec: Number(usage),
      memoryPeak: numberIn(`${path}/memory.peak`),
      tasksPeak: numberIn(`${path}/pids.peak`),
      wallMs,
    };
  } catch {
    return { by: 'none' };
  }
}

async function remove(path: string, kill: () => void): Promise<boolean> {
  const end = performance.now() + 5000;
  for (let pause = 1; ; pause = Math.min(pause * 2, 100)) {
    try {
      rmdirSync(path);
      return true;
    } catch (fault) {
      const code = (fault as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return true;
      if (code !== 'EBUSY' || performance.now() > end) return false;
      kill();
    }
    await sleep(pause);
  }
}

/** null where the kernel has no such figure; never zero. */
function numberIn(file: string): number | null {
  try {
    const n = Number(readFileSync(file, 'utf8').trim());
    return Number.isSafeInteger(n) ? n : null;
  } catch {
    return null;
  }
}

/** A group that is gone has nobody to kill. A kernel without swap accounting has no swap to limit. */
function writeIfThere(file: string, text: string): void {
  try {
    // Neither read (cgroup.kill may not be) nor created: a missing file is to be told apart from a forbidden one.
    const fd = openSync(file, constants.O_WRONLY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code;
    // ENODEV: the group went while its file was open.
    if (code !== 'ENOENT' && code !== 'ENODEV') throw fault;
  }
}

function wordsOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8').trim().split(/\s+/).filter((w) => w !== '');
}
