// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentFilesPort } from '../door/operator-ports.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

const MOST_BYTES = 256 * 1024;

/** The operators' layer of agent files: a folder that only holdfastd can write. A name was parsed, so it is no path. */
export function agentFileLayer(dir: string): AgentFilesPort {
  const pathOf: AgentFilesPort['pathOf'] = (agent) => join(dir, `${agent}.yaml`);
  return {
    pathOf,
    read: async (agent) => {
      try {
        const file = await open(pathOf(agent), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        try {
          if ((await file.stat()).size > MOST_BYTES) return refuse(`cannot read ${pathOf(agent)}: it is too large`);
          return accept(await file.readFile('utf8'));
        } finally {
          await file.close();
        }
      } catch (fault) {
        return (fault as NodeJS.ErrnoException).code === 'ENOENT' ? accept(null) : cannot('read', pathOf(agent), fault);
      }
    },
    write: (agent, text) => write(dir, pathOf(agent), text),
    remove: async (agent) => {
      try {
        await unlink(pathOf(agent));
        return accept(null);
      } catch (fault) {
        return (fault as NodeJS.ErrnoException).code === 'ENOENT' ? accept(null) : cannot('remove', pathOf(agent), fault);
      }
    },
  };
}

/** On disk before it has its name: after a power cut there is the old file or the new one. A name with a leading dot is no agent file. */
async function write(dir: string, path: string, text: string): Promise<Result<null>> {
  const draft = join(dir, `.${randomBytes(8).toString('hex')}.draft`);
  try {
    const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(text, 'utf8');
      await file.chmod(0o644);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    const folder = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync().finally(() => folder.close());
    return accept(null);
  } catch (fault) {
    await unlink(draft).catch(() => undefined);
    return cannot('write', path, fault);
  }
}

function cannot(what: string, path: string, fault: unknown): Result<never> {
  return refuse(`cannot ${what} ${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
}
