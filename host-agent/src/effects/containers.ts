// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { accept, refuse, type Result } from '../identity/result.ts';
import { containerArgv, groupLimits, type ContainerPlace } from '../sandbox/container-argv.ts';
import { BAKED_IMAGE } from '../sandbox/container-name.ts';
import { TOOL_ROOT } from '../sandbox/image-paths.ts';
import type { Permit } from '../sandbox/permit.ts';
import { followCall, type Launched, type RunningCall, type SoFar } from './call-launcher.ts';
import { startSandbox } from './sandbox.ts';

/** Of those that have ended, so many are remembered for who asks for their output. */
const ENDED_MAX = 8;

export type Ask = { readonly permit: Permit; readonly stdin: Uint8Array | null };

export type ContainerHost = Pick<ContainerPlace, 'programs' | 'label' | 'uid'> & {
  /** Below it each container's Podman keeps what it must remember. */
  readonly states: string;
  /** Images that operators brought in for this agent, a folder each. */
  readonly images: string;
  readonly cgroupParent: string;
};

type Known = { readonly running: RunningCall; ended: Launched | null };

/** What a runner tells of one of its containers. */
export type ContainerView = SoFar & { readonly ended: Launched | null };

/** The containers of one agent by their names. */
export function openContainers({ programs, label, uid, states, images, cgroupParent }: ContainerHost) {
  const known = new Map<string, Known>();
  // Left by a runner that was killed; the containers were killed with it.
  rmSync(states, { recursive: true, force: true });

  /** Refused, with the reason, before anything is started. */
  function launch({ permit, stdin }: Ask): Result<RunningCall> {
    const { plan, call } = permit;
    if (plan.container === undefined) return refuse('this runner runs containers only');
    const { name, image } = plan.container;
    if (known.get(name)?.ended === null) return refuse(`a container named ${name} runs already; stop it, or take another name`);
    const tree = image === BAKED_IMAGE ? TOOL_ROOT : join(images, image);
    if (!existsSync(tree)) return refuse(`there is no image ${image} for this agent; an operator brings one in: holdfast container import`);
    const state = join(states, call);
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const program = containerArgv(plan, permit.notAfter, { programs, label, uid, tree, state });
    const started = followCall(permit, label, () => {
      const podman = startSandbox(program, cgroupParent, call, groupLimits(plan.limits));
      podman.enter(Buffer.alloc(0), stdin);
      return podman;
    });
    const done = started.done.then((launched) => {
      rmSync(state, { recursive: true, force: true });
      entry.ended = launched;
      forgetOldest();
      return launched;
    });
    const entry: Known = { running: { ...started, done }, ended: null };
    known.delete(name);
    known.set(name, entry);
    return accept(entry.running);
  }

  function forgetOldest(): void {
    const ended = [...known].filter(([, entry]) => entry.ended !== null);
    for (const [name] of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) known.delete(name);
  }

  /** null for a name that is not known. `stop` answers when nothing of it is left. */
  async function act(name: string, what: 'logs' | 'stop'): Promise<ContainerView | null> {
    const entry = known.get(name);
    if (entry === undefined) return null;
    if (what === 'stop' && entry.ended === null) {
      entry.running.kill();
      await entry.running.done;
    }
    return { ...entry.running.soFar(), ended: entry.ended };
  }

  return { launch, act };
}
