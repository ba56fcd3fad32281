// SPDX-License-Identifier: Apache-2.0
// Ledger, holdfastd and a runner on this machine, each a process of the binary that the image gets, with one agent. What units
// do in the image is done here by hand: users, control groups, folders. There is no AppArmor. Needs root, to become those users.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCapability } from '../host-agent/src/capability/capability.ts';
import { pathsUnder } from '../host-agent/src/effects/paths.ts';
import { bootMillis } from '../host-agent/src/effects/clock.ts';
import { framed } from '../host-agent/src/effects/sandbox.ts';
import { launchWords, type LaunchWords, type Place } from '../host-agent/src/sandbox/launch-words.ts';
import { planCall } from '../host-agent/src/sandbox/plan-call.ts';
import { repository } from '../image/host/workplace.ts';
import { hostAgent, timesIn, type Programs } from './programs.ts';

const AGENT = 30_100;
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
/** What type `dev` holds and what its calls may use. */
const CAPABILITIES = ['fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**', 'process:run:*'];
const LIMITS = { timeoutMs: 300_000, memoryMax: 2 ** 31, tasksMax: 512, outputMax: 262_144 };

export const TRUE_REQUEST = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"process.run","arguments":{"program":"true"}}}';

export type NativeStack = {
  readonly pids: Readonly<Record<'holdfastd' | 'holdfast-ledger' | 'holdfast-runner', number>>;
  /** Microseconds of each of `count` calls of `true`, from the agent's client through all of it and back. */
  readonly calls: (count: number) => readonly number[];
  /** The same sandbox without anybody in between: call-launch, call-init, `true`. `aheadMs`: started that long before its words. */
  readonly sandboxes: (count: number, aheadMs?: number) => readonly number[];
  /** The same plan by bubblewrap. */
  readonly bubblewraps: (count: number) => readonly number[];
  readonly stop: () => Promise<void>;
};

export async function nativeStack(programs: Programs): Promise<NativeStack> {
  if (process.getuid?.() !== 0) throw new Error('cannot start the stack here: it becomes several users, so run it as root');
  const binaries = join(hostAgent(), 'bin');
  const root = mkdtempSync('/tmp/holdfast-bench-');
  const group = `${UNIFIED}/holdfast-bench-${process.pid}`;
  const paths = pathsUnder(root);
  const workspace = join(paths.workspaces, 'bench');
  const runnerSocket = join(paths.runnerSockets, 'bench.sock');
  const running = new Map<string, ChildProcess>();

  chmodSync(root, 0o755);
  cpSync(hostAgent(), paths.programs, { recursive: true, filter: (file) => !file.startsWith(binaries) });
  // The ledger lies beside the checkout: /tmp may be memory, where nothing is durable and nothing costs.
  const ledger = mkdtempSync(join(repository, 'build/bench-ledger-'));
  const restore = join(paths.restorePoints, 'bench');
  for (const dir of [workspace, restore, paths.runnerSockets, paths.daemonRuntime, join(paths.runnerRuntime, 'bench'), join(root, 'etc'), join(root, 'run/holdfast/declared'), join(root, 'run/holdfast-ledger'), join(paths.agentDoors, 'bench')]) {
    mkdirSync(dir, { recursive: true });
  }
  symlinkSync(ledger, paths.ledgerState);
  const stage = join(root, 'stage');
  mkdirSync(stage);
  for (const dir of [workspace, restore, stage, paths.runnerSockets, join(paths.runnerRuntime, 'bench')]) chownSync(dir, AGENT, AGENT);
  chownSync(join(paths.agentDoors, 'bench'), 0, AGENT);
  chmodSync(join(paths.agentDoors, 'bench'), 0o2750);
  // What Delegate=yes and DelegateSubgroup=main do; `bare` is for the sandbox without a runner.
  for (const name of ['main', 'bare', 'client']) mkdirSync(join(group, name), { recursive: true });
  for (const dir of [group, join(group, 'main'), join(group, 'bare')]) {
    for (const file of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(join(dir, file), AGENT, AGENT);
  }
  writeFileSync(join(root, 'etc/passwd'), 'holdfast:x:0:0::/:/bin/false\n');
  const agent = {
    name: 'bench', pack: 'main', id: 'agent.main.bench.v1', type: 'dev', mode: 'mediated', uid: AGENT, program: null, start: 'manual', workspace,
    capabilities: CAPABILITIES, ceiling: { allow: CAPABILITIES, deny: [] }, limits: LIMITS, peerLabels: { agent: 'unconfined', remote: 'unconfined' }, callLabel: 'unconfined', net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
    peers: { agent: `/holdfast-bench-${process.pid}/client`, remote: '/none' },
  };
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents: [agent], problems: [] }));
  writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [] }));
  writeFileSync(paths.seedResult, JSON.stringify({ state: 'claimed', digest: 'a'.repeat(64), offered: 'a'.repeat(64), problems: [] }));

  const start = (role: string, command: readonly string[]): ChildProcess => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', process.env['SHOW'] === undefined ? 'ignore' : 'inherit'], env: { PATH: '/usr/bin:/bin' } });
    running.set(role, child);
    return child;
  };
  const role = (name: string, ...args: readonly string[]) => [join(binaries, name), '--root', root, ...args];
  /** As the agent's user, in a control group below ours. */
  const asAgent = (below: string, command: readonly string[]) => [
    '/bin/sh', '-c', `echo $$ > ${group}/${below}/cgroup.procs; exec setpriv --reuid ${AGENT} --regid ${AGENT} --clear-groups --bounding-set=-all --no-new-privs "$0" "$@"`, ...command,
  ];
  const timed = (below: string, command: readonly string[]): readonly number[] => {
    const [file, ...args] = asAgent(below, command);
    return timesIn(execFileSync(file!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: '/usr/bin:/bin' } }));
  };

  const stop = async (): Promise<void> => {
    for (const child of running.values()) child.kill('SIGKILL');
    for (const child of running.values()) await until('the end of a process', () => child.exitCode !== null || child.signalCode !== null);
    rmSync(root, { recursive: true, force: true });
    rmSync(ledger, { recursive: true, force: true });
    for (const name of readdirSync(group, { withFileTypes: true })) if (name.isDirectory()) rmdirSync(join(group, name.name));
    rmdirSync(group);
  };

  try {
    start('holdfast-ledger', role('holdfast-ledger'));
    await until('the ledger', () => answers(paths.ledgerQuerySocket));
    start('holdfast-runner', asAgent('main', role('holdfast-runner', '--agent', 'bench', '--cgroup', group)));
    await until('the runner', () => answers(runnerSocket));
    start('holdfastd', role('holdfastd'));
    const door = join(paths.agentDoors, 'bench/mcp.sock');
    await until('the door of the agent', () => answers(door));
    const place = { programs: paths.programs, stage, label: 'unconfined', hostOf: (path: string) => path.replace(/^\/workspace/, workspace) };
    const pidOf = (name: string) => running.get(name)!.pid!;
    return {
      pids: { holdfastd: pidOf('holdfastd'), 'holdfast-ledger': pidOf('holdfast-ledger'), 'holdfast-runner': pidOf('holdfast-runner') },
      calls: (count) => timed('client', [programs.callClient, door, String(count), TRUE_REQUEST]),
      sandboxes: (count, aheadMs = 0) => {
        const { prepare, call } = sandboxOfTrue(CAPABILITIES, LIMITS, place);
        writeFileSync(join(root, 'words'), framed(call));
        const launch = [prepare[0]!, '--cgroup', join(group, 'bare'), ...prepare.slice(1)];
        return timed('main', [programs.spawn, String(count), '--report', '--words', join(root, 'words'), '--ahead', String(aheadMs), '--', ...launch]);
      },
      bubblewraps: (count) => timed('main', [programs.spawn, String(count), '--report', '--', ...bubblewrap(sandboxOfTrue(CAPABILITIES, LIMITS, place))]),
      stop,
    };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

/** The very words that a runner gives call-launch for `process.run true`, made by the same functions. */
export function sandboxOfTrue(capabilities: readonly string[], limits: typeof LIMITS, place: Place, now = bootMillis()): LaunchWords {
  const held = capabilities.map((text) => {
    const parsed = parseCapability(text);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  });
  const command = { kind: 'process' as const, argv: ['true'], cwd: '/workspace', env: {} };
  const plan = planCall({ command, held, needs: [], bounds: { allow: held, deny: [] }, root: 'image', limits, timeoutMs: null });
  if (!plan.ok) throw new Error(plan.error);
  return launchWords(plan.value, now + limits.timeoutMs, false, place);
}

/** What bubblewrap is told for the same sandbox; it joins no control group and sets no limits. */
export function bubblewrap({ prepare, call }: LaunchWords, program = '/usr/bin/bwrap'): readonly string[] {
  const words = [...prepare.slice(1), ...call];
  const size = words[words.indexOf('--size') + 1]!;
  const as: Readonly<Record<string, (n: number) => readonly string[]>> = {
    '--stage': () => [], '--size': () => [], '--no-input': () => [],
    '--image': (n) => ['--ro-bind-try', words[n + 1]!, words[n + 1]!],
    '--link': (n) => ['--symlink', words[n + 1]!, words[n + 2]!],
    '--dev': () => ['--dev', '/dev'],
    '--proc': () => ['--proc', '/proc'],
    '--scratch': (n) => ['--perms', '1777', '--size', size, '--tmpfs', words[n + 1]!],
    '--bind': (n) => [words[n + 1]!.startsWith('rw') ? '--bind' : '--ro-bind', words[n + 2]!, words[n + 3]!],
    '--env': (n) => ['--setenv', words[n + 1]!, words[n + 2]!],
  };
  const end = words.indexOf('--');
  const mounts = words.slice(0, end).flatMap((word, n) => as[word]?.(n) ?? []);
  const flags = ['--unshare-all', '--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL', '--clearenv'];
  return [program, ...flags, ...mounts, '--remount-ro', '/dev', '--remount-ro', '/', ...words.slice(end)];
}

function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  return new Promise<boolean>((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (await holds()) return;
    await sleep(25);
  }
  throw new Error(`${what} did not come`);
}
