// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunRefusal } from '../sandbox/check-run.ts';
import { isSameLabel } from '../sandbox/label.ts';
import { launchWords, type Place } from '../sandbox/launch-words.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { wipe } from '../secret/values.ts';
import type { CallCgroup } from './call-cgroup.ts';
import type { Taker } from './capped-output.ts';
import { readCallReport, type CallReport } from './call-report.ts';
import { bootMillis } from './clock.ts';
import { framed, type Sandbox } from './sandbox.ts';
import type { Sandboxes } from './sandboxes.ts';

/** call-init keeps the deadline itself; this much later the runner does, in case call-init never came so far. */
const GRACE_MS = 500;
/** Between two kills of a call that is to end: the first may come before its first process has joined its control group. */
const KILL_AGAIN_MS = 50;
/** A longer timer fires at once. */
const TIMER_MAX = 2 ** 31 - 1;

export type Launch = {
  readonly permit: Permit;
  readonly stdin: Uint8Array | null;
  /** Of each of `plan.secrets`, in their order. Wiped when the kernel has them, or the call cannot start. */
  readonly secrets?: readonly Buffer[];
  readonly place: Place;
  readonly sandboxes: Sandboxes;
  /** Of a call with a terminal: where it goes what the program shows, as it comes. */
  readonly onShown?: Taker;
};
export type Launched =
  | { readonly ok: true; readonly result: RunResult }
  | { readonly ok: false; readonly error: RunRefusal; readonly message: string };
/** What it wrote until now. */
export type SoFar = Pick<RunResult, 'stdout' | 'stderr' | 'dropped'>;
export type RunningCall = {
  readonly done: Promise<Launched>;
  readonly kill: () => void;
  readonly soFar: () => SoFar;
  /** Keys, of a call with a terminal, and the end of the line. */
  readonly type: (bytes: Uint8Array, taken: () => void) => void;
  readonly hangUp: () => void;
};

/** Starts one call. Whatever happens, its processes and its control group are gone when `done` settles. */
export function launchCall({ permit, stdin, secrets = [], place, sandboxes, onShown }: Launch): RunningCall {
  return followCall(permit, place.label, () => {
    const words = launchWords(permit.plan, permit.notAfter, stdin !== null, place);
    try {
      const call = framed(words.call, secrets);
      const sandbox = sandboxes.take(words.prepare, permit.plan.limits);
      if (onShown !== undefined) sandbox.stdout.divert(onShown);
      sandbox.enter(call, onShown === undefined ? stdin : 'open');
      return sandbox;
    } finally {
      wipe(...secrets);
    }
  });
}

/** The same for whatever `start` starts, which ends in call-init. */
export function followCall(permit: Permit, label: string, start: () => Sandbox): RunningCall {
  let started: Started;
  try {
    const sandbox = start();
    started = { ...sandbox, startedAt: bootMillis() };
  } catch (fault) {
    return notStarted(`cannot start the sandbox: ${(fault as Error).message}`);
  }
  const killing = killer(started.cgroup);
  const { input } = started;
  return {
    done: follow(permit, started, label).finally(killing.stop), kill: killing.kill, soFar: () => outputOf(started), type: input.write, hangUp: input.end,
  };
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
  const nothing = (): void => undefined;
  const none = { stdout: new Uint8Array(), stderr: new Uint8Array(), dropped: { stdout: 0, stderr: 0 } };
  return { done: Promise.resolve(refused('sandbox', message)), kill: nothing, soFar: () => none, type: nothing, hangUp: nothing };
}

type Started = Sandbox & { readonly startedAt: number };

function outputOf({ stdout, stderr }: Started): SoFar {
  return { stdout: stdout.bytes(), stderr: stderr.bytes(), dropped: { stdout: stdout.dropped(), stderr: stderr.dropped() } };
}

async function follow(permit: Permit, started: Started, expected: string): Promise<Launched> {
  const { cgroup } = started;
  const left = Math.max(0, permit.notAfter - started.startedAt) + GRACE_MS;
  const late = setTimeout(() => cgroup.kill(), Math.min(left, TIMER_MAX));
  const fault = await started.exited;
  clearTimeout(late);
  const endedAt = bootMillis();
  // call-launch has gone; if it was killed, what it started may be a moment behind.
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
  if (end.error === 'filter') return refused('filter', `cannot load the filter of system calls (${end.errno}); nothing was started`);
  if (!report.started || BEFORE_COMMAND.has(end.error)) return refused('sandbox', whyNoSandbox(report, seen));
  // PID 1 could not go on and took everything with it. What ran until then has run, and may have brought it about.
  return finished(label, { signal: 'SIGKILL' }, seen.late, report, seen, `the call was ended with its PID 1: ${end.error}: ${end.errno}\n`);
}

/** Where call-init fails between its word that all stands and the command (native/call-init.c, native/exec-command.c). */
const BEFORE_COMMAND: ReadonlySet<string> = new Set(['pipe', 'fork', 'session', 'terminal', 'secrets']);

function finished(label: string, exit: RunResult['exit'], deadline: boolean, report: CallReport, seen: Seen, note = ''): Launched {
  const { stdout, stderr } = seen.started;
  const failed = seen.permit.plan.kind === 'file' && 'code' in exit && exit.code === 1;
  const missing = failed ? report.skipped.find((s) => s.errno !== 'ENOENT') : undefined;
  return {
    ok: true,
    result: {
      exit,
      deadline,
      stdout: stdout.bytes(),
      stderr: missing === undefined ? withNote(stderr.bytes(), note, seen) : Buffer.from(`${JSON.stringify(notVisible(missing))}\n`),
      dropped: { stdout: stdout.dropped(), stderr: stderr.dropped() },
      label,
      observed: seen.observed,
    },
  };
}

/** A word of ours behind what the command wrote, where there is room: more than the limit is no answer (effects/run-wire.ts). */
function withNote(bytes: Uint8Array, note: string, { permit }: Seen): Uint8Array {
  return note === '' || bytes.length + note.length > permit.plan.limits.outputMax ? bytes : Buffer.concat([bytes, Buffer.from(note)]);
}

/** The file tool could only say that a path is not there; call-launch knows why. In the file tool's form. */
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
