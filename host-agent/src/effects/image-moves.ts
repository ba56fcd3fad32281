// SPDX-License-Identifier: Apache-2.0
import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ImagesPort } from '../door/operator-image.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { syncDirectory } from './durable-file.ts';
import { errnoOf } from './rooted-files.ts';

/**
 * Images between `new`, which is the agent's, and the folder above it, where no name is. systemd follows an image's name as root, so what
 * has one is a directory from its first moment on: it is looked at where no agent can exchange it, under the call's name, which nobody runs.
 * No step waits, so none comes between.
 */
export function imageMoves(dir: string): ImagesPort {
  return {
    takeIn: (agent, made, digest) => moved(() => {
      const folder = join(dir, agent);
      if (isThere(join(folder, digest))) return refuse(`${digest} is there already`);
      const looked = join(folder, made);
      renameSync(join(folder, 'new', made), looked);
      if (!lstatSync(looked).isDirectory()) {
        unlinkSync(looked);
        return refuse('what the sandbox made was exchanged for something that is no directory');
      }
      renameSync(looked, join(folder, digest));
      syncDirectory(folder);
      return accept(null);
    }, () => 'what the sandbox made cannot be moved to where images lie'),
    putOut: (agent, digest, as) => moved(() => {
      const folder = join(dir, agent);
      if (!isThere(join(folder, digest))) return refuse(`there is no image ${digest} for this agent`);
      renameSync(join(folder, digest), join(folder, 'new', as));
      return accept(null);
    }, () => `the agent's uid has shut it, or ${join(dir, agent, 'new')}; as root: rm -r ${join(dir, agent, digest)}`),
  };
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function moved(move: () => Result<null>, otherwise: () => string): Result<null> {
  try {
    return move();
  } catch (fault) {
    return refuse(`${errnoOf(fault)}: ${otherwise()}`);
  }
}
