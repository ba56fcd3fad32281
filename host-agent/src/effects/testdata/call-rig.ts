// SPDX-License-Identifier: Apache-2.0
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildNative } from '../../../native/build-once.ts';
import type { CallId } from '../../identity/ids.ts';
import type { Permit, SandboxPlan } from '../../sandbox/permit.ts';
import { prepareParent } from '../call-cgroup.ts';
import { launchCall, type Launched, type RunningCall } from '../call-launcher.ts';
import { bootMillis } from '../clock.ts';
import { openSandboxes, type Sandboxes } from '../sandboxes.ts';

const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
/** What this machine's kernel prints for a process without a profile. */
export const LABEL = 'unconfined';

export type Wish = Partial<Pick<SandboxPlan, 'kind' | 'cwd' | 'env' | 'bindings' | 'hidden' | 'terminal' | 'secrets'>> & {
  readonly ms?: number;
  readonly outputMax?: number;
  readonly tasksMax?: number;
  readonly label?: string;
  readonly programs?: string;
  readonly sandboxes?: Sandboxes;
};

export type Ran = { readonly stdout: string; readonly stderr: string };

/** The real launcher and native programs, a workspace, and a control group that this user may write. */
export function callRig() {
  const parent = `${UNIFIED}/holdfast-launcher-${process.pid}`;
  const dir = mkdtempSync('/tmp/holdfast-launcher-');
  const workspace = join(dir, 'workspace');
  const stage = join(dir, 'stage');
  /** In the sandbox they lie under their own path: a fixed one, wherever this checkout is. */
  const programs = join(dir, 'programs');
  const atOnce = openSandboxes(parent, false);
  let calls = 0;
  for (const folder of [workspace, stage, parent]) mkdirSync(folder);
  cpSync(buildNative(), programs, { recursive: true });
  prepareParent(parent);

  function launch(argv: readonly string[], wish: Wish = {}, stdin: string | null = null, secrets: readonly Buffer[] = []): RunningCall {
    const { kind = 'process', cwd = '/workspace', env = { PATH: '/usr/bin' }, bindings = [{ path: '/workspace', access: 'rw', is: 'directory' }], ms = 20_000 } = wish;
    const { hidden = [] } = wish;
    const limits = { timeoutMs: ms, memoryMax: 256 * 1024 ** 2, tasksMax: wish.tasksMax ?? 64, outputMax: wish.outputMax ?? 65_536 };
    const permit = {
      v: 1, call: `test-${calls++}` as CallId, agent: 'demo', tool: 'test', stdin: null, notAfter: bootMillis() + ms,
      plan: { kind, root: 'image', argv, cwd: kind === 'file' ? '/' : cwd, env, bindings, hidden, limits, ...(wish.terminal === undefined ? {} : { terminal: wish.terminal }), ...(wish.secrets === undefined ? {} : { secrets: wish.secrets }) },
    } as unknown as Permit;
    const hostOf = (path: string): string => path.replace(/^\/workspace/, workspace).replace(/^\/srv/, join(dir, 'srv'));
    const place = { programs: wish.programs ?? programs, stage, label: wish.label ?? LABEL, hostOf };
    return launchCall({ permit, stdin: stdin === null ? null : Buffer.from(stdin), secrets, place, sandboxes: wish.sandboxes ?? atOnce });
  }

  async function run(argv: readonly string[], wish: Wish = {}, stdin: string | null = null, secrets: readonly Buffer[] = []) {
    const launched: Launched = await launch(argv, wish, stdin, secrets).done;
    if (!launched.ok) return { error: launched.error, message: launched.message };
    const { result } = launched;
    return { ...result, stdout: Buffer.from(result.stdout).toString(), stderr: Buffer.from(result.stderr).toString() };
  }

  return {
    parent, dir, workspace, stage, programs, launch, run,
    shell: (script: string, wish: Wish = {}, stdin: string | null = null) => run(['sh', '-c', script], wish, stdin),
    /** Control groups of calls, and of what is kept ready for one. */
    groups: (): readonly string[] => readdirSync(parent).filter((name) => name.startsWith('call-')),
    /** Every call's own group is gone, or this one cannot be removed. */
    close: (): void => {
      rmSync(dir, { recursive: true, force: true });
      rmdirSync(parent);
    },
  };
}

/** The numbers of all processes of this machine whose command line starts so and holds this word. */
export function processes(start: string, word: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && commandLine(pid).startsWith(start) && commandLine(pid).includes(word);
    } catch {
      return false;
    }
  });
}

function commandLine(pid: string): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i += 1) {
    if (holds()) return;
    await sleep(10);
  }
  throw new Error(`${what} did not come`);
}
