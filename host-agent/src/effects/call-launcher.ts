// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bwrapArgv, type Place } from '../sandbox/bwrap-argv.ts';
import type { RunRefusal } from '../sandbox/check-run.ts';
import { isSameLabel } from '../sandbox/label.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { addon } from './addon.ts';
import { makeCallCgroup, type CallCgroup } from './call-cgroup.ts';
import { readCallReport, type CallReport } from './call-report.ts';
import { capOutput, type CappedOutput } from './capped-output.ts';
import { bootMillis } from './clock.ts';

/** call-init keeps the deadline itself; this much later the runner does, in case call-init never came so far. */
const GRACE_MS = 500;
const REPORT_MAX = 64 * 1024;
/** Between two kills of a call that is to end: the first may come before its first process has joined its control group. */
const KILL_AGAIN_MS = 50;
/** A longer timer fires at once. */
const TIMER_MAX = 2 ** 31 - 1;

export type Launch = {
  readonly permit: Permit;
  readonly stdin: Uint8Array | null;
  readonly place: Omit<Place, 'cgroup'>;
  /** A group is made for the call below this one. */
  readonly cgroupParent: string;
};
export type Launched =
  | { readonly ok: true; readonly result: RunResult }
  | { readonly ok: false; readonly error: RunRefusal; readonly message: string };
export type RunningCall = { readonly done: Promise<Launched>; readonly kill: () => void };

/** Starts one call. Whatever happens, its processes and its control group are gone when `done` settles. */
export function launchCall({ permit, stdin, place, cgroupParent }: Launch): RunningCall {
  let cgroup: CallCgroup;
  try {
    cgroup = makeCallCgroup(cgroupParent, permit.call, permit.plan.limits);
  } catch (fault) {
    return notStarted(`cannot make the call's control group: ${(fault as Error).message}`);
  }
  const argv = bwrapArgv(permit.plan, permit.notAfter, { ...place, cgroup: cgroup.path });
  try {
    const killing = killer(cgroup);
    const started = start(argv, stdin, permit.plan.limits.outputMax);
    return { done: follow(permit, started, cgroup, place.label).finally(killing.stop), kill: killing.kill };
  } catch (fault) {
    // Node throws for some errors of spawn, a command line that is too long among them.
    void cgroup.remove();
    return notStarted(`cannot start the sandbox: ${(fault as Error).message}`);
  }
}

/** Once told, it goes on killing until there is nobody left. */
function killer(cgroup: CallCgroup): { readonly kill: () => void; readonly stop: () => void } {
  let again: NodeJS.Timeout | null = null;
  let stopped = false;
  return {
    kill: () => {
      cgroup.kill();
      if (!stopped) again ??= setInterval(cgroup.kill, KILL_AGAIN_MS);
    },
    stop: () => {
      stopped = true;
      if (again !== null) clearInterval(again);
    },
  };
}

function notStarted(message: string): RunningCall {
  return { done: Promise.resolve(refused('sandbox', message)), kill: () => undefined };
}

type Started = {
  readonly startedAt: number;
  readonly stdout: CappedOutput;
  readonly stderr: CappedOutput;
  readonly report: CappedOutput;
  /** null, or why the program could not be started. */
  readonly exited: Promise<string | null>;
  readonly letGo: () => void;
};

function start(argv: readonly string[], stdin: Uint8Array | null, outputMax: number): Started {
  const startedAt = bootMillis();
  const input = stdin === null ? null : addon().pipeFds();
  const output = addon().pipeFds();
  const errors = addon().pipeFds();
  let child: ChildProcess;
  try {
    child = spawn(argv[0]!, argv.slice(1), {
      cwd: '/',
      // bubblewrap itself needs nothing of ours, and the call gets what its plan says.
      env: {},
      stdio: [input === null ? 'ignore' : input.read, output.write, errors.write, 'pipe'],
    });
  } catch (fault) {
    for (const fd of [input?.write, output.read, errors.read]) if (fd !== undefined) closeSync(fd);
    throw fault;
  } finally {
    for (const fd of [input?.read, output.write, errors.write]) if (fd !== undefined) closeSync(fd);
  }
  const exited = new Promise<string | null>((resolve) => {
    child.on('exit', () => resolve(null));
    child.on('error', (fault) => resolve(fault.message));
  });
  const out = new Socket({ fd: output.read, readable: true, writable: false });
  const err = new Socket({ fd: errors.read, readable: true, writable: false });
  const report = child.stdio[3] as Socket;
  if (input !== null) feed(input.write, stdin!);
  return {
    startedAt,
    stdout: capOutput(out, outputMax),
    stderr: capOutput(err, outputMax),
    report: capOutput(report, REPORT_MAX),
    exited,
    letGo: () => [out, err, report].forEach((s) => s.destroy()),
  };
}

/** A command need not read its input: that it closed the pipe is its own business. */
function feed(fd: number, bytes: Uint8Array): void {
  const pipe = new Socket({ fd, readable: false, writable: true });
  pipe.on('error', () => pipe.destroy());
  pipe.end(bytes);
}

async function follow(permit: Permit, started: Started, cgroup: CallCgroup, expected: string): Promise<Launched> {
  const left = Math.max(0, permit.notAfter - started.startedAt) + GRACE_MS;
  const late = setTimeout(() => cgroup.kill(), Math.min(left, TIMER_MAX));
  const fault = await started.exited;
  clearTimeout(late);
  const endedAt = bootMillis();
  // bubblewrap has gone; if it was killed, what it started may be a moment behind.
  cgroup.kill();
  const ended = Promise.all([started.stdout.ended, started.stderr.ended, started.report.ended]);
  await Promise.race([ended, sleep(2000, undefined, { ref: false })]);
  started.letGo();
  const observed = cgroup.observe(endedAt - started.startedAt);
  if (!(await cgroup.remove())) return refused('sandbox', 'cannot remove the call\'s control group: something in it does not end');
  if (fault !== null) return refused('sandbox', `cannot start the sandbox: ${fault}`);
  const report = readCallReport(Buffer.from(started.report.bytes()).toString('utf8'));
  return conclude(report, { permit, started, observed, expected, late: endedAt >= permit.notAfter });
}

type Seen = {
  readonly permit: Permit;
  readonly started: Started;
  readonly observed: RunResult['observed'];
  /** The label it had to run under. */
  readonly expected: string;
  /** Its time was over when it ended. */
  readonly late: boolean;
};

function conclude(report: CallReport, seen: Seen): Launched {
  const { label, end } = report;
  if (label === null) return refused('sandbox', whyNoSandbox(report, seen));
  if (!isSameLabel(label, seen.expected) || (typeof end === 'object' && 'error' in end && end.error === 'label')) {
    return refused('label', `the call would have run as ${label} and not as ${seen.expected}; it was ended before its command started`);
  }
  switch (end) {
    case 'none':
      return refused('sandbox', whyNoSandbox(report, seen));
    case 'unknown':
      // Killed from outside together with its PID 1: by the deadline's second guard, the memory limit or the end of the connection.
      return finished(label, { signal: 'SIGKILL' }, seen.late, report, seen);
  }
  if ('exit' in end) return finished(label, { code: end.exit }, false, report, seen);
  if ('signal' in end) return finished(label, { signal: end.signal }, false, report, seen);
  if ('deadline' in end) return finished(label, { signal: 'SIGKILL' }, true, report, seen);
  // As shells have it: 127 for a command that is not there, 126 for one that cannot be executed.
  const plan = seen.permit.plan;
  const code = end.error === 'command' && end.errno === 'ENOENT' ? 127 : 126;
  if (end.error === 'command') return unstarted(label, code, `cannot execute ${plan.argv[0]}: ${end.errno}`, seen);
  if (end.error === 'cwd') return unstarted(label, code, `cannot enter the working directory ${plan.cwd}: ${end.errno}`, seen);
  return refused('sandbox', whyNoSandbox(report, seen));
}

function finished(label: string, exit: RunResult['exit'], deadline: boolean, report: CallReport, seen: Seen): Launched {
  const { stdout, stderr } = seen.started;
  const failed = seen.permit.plan.kind === 'file' && 'code' in exit && exit.code === 1;
  const missing = failed ? report.skipped.find((s) => s.errno !== 'ENOENT') : undefined;
  return {
    ok: true,
    result: {
      exit,
      deadline,
      stdout: stdout.bytes(),
      stderr: missing === undefined ? stderr.bytes() : Buffer.from(`${JSON.stringify(notVisible(missing))}\n`),
      dropped: { stdout: stdout.dropped(), stderr: stderr.dropped() },
      label,
      observed: seen.observed,
    },
  };
}

/** The file tool could only say that a path is not there; call-enter knows why. In the file tool's form. */
function notVisible({ path, errno }: { readonly path: string; readonly errno: string }): { errno: string; what: string; path: string } {
  const what =
    errno === 'ELOOP' ? 'goes through a symbolic link; name the target itself' : 'cannot be made visible to this call';
  return { errno, what, path };
}

function unstarted(label: string, code: number, message: string, { observed }: Seen): Launched {
  const dropped = { stdout: 0, stderr: 0 };
  const stderr = Buffer.from(`${message}\n`);
  return { ok: true, result: { exit: { code }, deadline: false, stdout: new Uint8Array(), stderr, dropped, label, observed } };
}

function whyNoSandbox(report: CallReport, { started, late }: Seen): string {
  if (typeof report.end === 'object' && 'error' in report.end) return `cannot build the sandbox: ${report.end.error}: ${report.end.errno}`;
  if (late) return 'cannot build the sandbox: the time of the call was over before it stood';
  const said = Buffer.from(started.stderr.bytes()).toString('utf8').trim().slice(0, 300);
  return `cannot build the sandbox: ${said === '' ? 'the launcher ended without a word' : said}`;
}

function refused(error: RunRefusal, message: string): Launched {
  return { ok: false, error, message };
}
