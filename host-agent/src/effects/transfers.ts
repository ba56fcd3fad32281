// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, opendir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { TransfersPort } from '../door/operator-project.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

const MOST_BYTES = 1024 ** 3;
const MOST_AT_ONCE = 4;
const IDLE_MS = 120_000;
/** A holdfastd leaves a few at most; the agent may have left any number. */
const MOST_LEFT = 1000;

type Transfer = {
  readonly agent: AgentName;
  readonly owner: string;
  readonly path: string;
  file: FileHandle | null;
  size: number;
  readonly hash: Hash;
  timer: NodeJS.Timeout;
};

/**
 * Archives on their way in or out, one file each in a folder that holdfastd and the agent's own-call sandboxes share. holdfastd passes
 * bytes on and never looks into them; what it opens there is a regular file, or nothing. The folder is the agent's: it may put there
 * what it likes, and refuse what it likes.
 */
export function openTransfers(dir: string, agents: readonly AgentName[], onLeft: (agent: AgentName, why: string) => void): TransfersPort {
  const known = new Map<string, Transfer>();
  for (const agent of agents) void clear(join(dir, agent), (name) => known.has(name)).then((why) => why === null || onLeft(agent, why));

  function end(id: string): void {
    const transfer = known.get(id);
    if (transfer === undefined) return;
    known.delete(id);
    clearTimeout(transfer.timer);
    void transfer.file?.close().catch(() => undefined);
    void unlink(transfer.path).catch(() => undefined);
  }

  function owned(id: string, owner: string): Result<Transfer> {
    const transfer = known.get(id);
    if (transfer === undefined || transfer.owner !== owner) return refuse('this transfer is over: it takes no longer than two minutes without a word');
    transfer.timer.refresh();
    return accept(transfer);
  }

  return {
    begin: (agent, owner) => {
      if (known.size >= MOST_AT_ONCE) return refuse(`${MOST_AT_ONCE} transfers are under way; try again when one has ended`);
      const id = `t-${randomBytes(8).toString('hex')}`;
      const timer = setTimeout(() => end(id), IDLE_MS).unref();
      known.set(id, { agent, owner, path: join(dir, agent, id), file: null, size: 0, hash: createHash('sha256'), timer });
      return accept(id);
    },
    write: async (id, owner, offset, bytes) => {
      const transfer = owned(id, owner);
      if (!transfer.ok) return transfer;
      const { value } = transfer;
      if (offset !== value.size) return refuse(`this part begins at ${offset}, and ${value.size} bytes have come`);
      if (value.size + bytes.length > MOST_BYTES) return refuse(`more than ${MOST_BYTES} bytes cannot be put in at once; put in a part after the other`);
      value.size += bytes.length;
      try {
        // Read by the agent's uid in its sandbox; nobody else gets into the folder.
        value.file ??= await open(value.path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
        await value.file.chmod(0o644);
        await value.file.writeFile(bytes);
        value.hash.update(bytes);
        return accept(null);
      } catch (fault) {
        end(id);
        return refuse(`cannot keep what came: ${(fault as Error).message}`);
      }
    },
    seal: async (id, owner) => {
      const transfer = owned(id, owner);
      if (!transfer.ok) return transfer;
      const { agent, file, size, hash } = transfer.value;
      if (file === null) return refuse('nothing has come');
      await file.close();
      transfer.value.file = null;
      return accept({ agent, size, sha256: hash.digest('hex') });
    },
    size: async (id, owner) => {
      const transfer = owned(id, owner);
      if (!transfer.ok) return transfer;
      try {
        transfer.value.file = await open(transfer.value.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        const stat = await transfer.value.file.stat();
        if (stat.isFile()) return accept(stat.size);
        end(id);
        return refuse('what the sandbox made is no file');
      } catch (fault) {
        return refuse(`cannot read what the sandbox made: ${(fault as Error).message}`);
      }
    },
    read: async (id, owner, offset, most) => {
      const transfer = owned(id, owner);
      if (!transfer.ok) return transfer;
      if (transfer.value.file === null) return refuse('there is nothing to read yet');
      const buffer = Buffer.alloc(most);
      const { bytesRead } = await transfer.value.file.read(buffer, 0, most, offset);
      return accept(buffer.subarray(0, bytesRead));
    },
    end: (id, owner) => {
      if (known.get(id)?.owner === owner) end(id);
    },
  };
}

/**
 * Removes what a holdfastd that was killed left. Nothing waits for it. What is no file of its own, or lies in a folder that the agent has
 * shut, stays and counts as the agent's; the answer is why, or null.
 */
async function clear(folder: string, isKnown: (name: string) => boolean): Promise<string | null> {
  let why: string | null = null;
  let left = 0;
  let seen = 0;
  try {
    // A few names at a time; unlink follows no link and removes no directory.
    for await (const { name } of await opendir(folder)) {
      if (isKnown(name)) continue;
      seen += 1;
      if (seen > MOST_LEFT) return `it holds more than ${MOST_LEFT} names`;
      await unlink(join(folder, name)).catch((fault: NodeJS.ErrnoException) => {
        // A transfer that has ended meanwhile took its own away.
        if (fault.code === 'ENOENT') return;
        left += 1;
        why ??= `cannot be removed: ${fault.code}`;
      });
    }
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    return code === 'ENOENT' ? null : `cannot be looked through: ${code}`;
  }
  return why === null ? null : `${left} of ${seen} names ${why}`;
}
