// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { connectLedger, queryLedger, type LedgerClient, type LedgerReader, type ReadEntry } from '../effects/ledger-client.ts';
import { pathsUnder, type Paths } from '../effects/paths.ts';
import { decodeEntry } from '../ledger/decode.ts';
import { leafHash } from '../ledger/digest.ts';
import type { Entry, EntryDraft } from '../ledger/entry.ts';
import type { Appended } from '../tool-call/ports.ts';

const MAIN = join(import.meta.dirname, '../main.ts');

export type LedgerRole = {
  readonly paths: () => Paths;
  /** `limitKb` is what one file may grow to: for the ledger the same as a disk that is full. */
  readonly start: (limitKb?: number) => Promise<ChildProcess>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  readonly client: () => LedgerClient;
  readonly reader: () => Promise<LedgerReader>;
  readonly appended: (draft: EntryDraft, to?: LedgerClient) => Promise<Appended>;
};

/** The real role as a process of its own, under a folder of its own for each test. */
export function useLedgerRole(): LedgerRole {
  let root = '';
  let role: ChildProcess | null = null;
  const clients: { close: () => void }[] = [];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'hf-role-'));
  });
  afterEach(async () => {
    for (const made of clients.splice(0)) made.close();
    await kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
  });

  async function start(limitKb?: number): Promise<ChildProcess> {
    const words = [MAIN, 'holdfast-ledger', '--root', root];
    const limited = ['-c', `trap '' XFSZ; ulimit -S -f ${limitKb}; exec "$0" "$@"`, process.execPath, ...words];
    const [command, args] = limitKb === undefined ? [process.execPath, words] : ['/bin/bash', limited];
    const started = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    role = started;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      started.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('"ready"')) resolve();
      });
      started.once('exit', () => reject(new Error(`the ledger did not start: ${said}`)));
    });
    return started;
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    const dying = role;
    role = null;
    if (dying === null || dying.exitCode !== null || dying.signalCode !== null) return;
    dying.kill(signal);
    await once(dying, 'exit');
  }

  function client(): LedgerClient {
    const made = connectLedger(pathsUnder(root).ledgerAppendSocket);
    clients.push(made);
    return made;
  }

  async function reader(): Promise<LedgerReader> {
    const made = await queryLedger(pathsUnder(root).ledgerQuerySocket);
    clients.push(made);
    return made;
  }

  async function appended(draft: EntryDraft, to = client()): Promise<Appended> {
    const result = await to.append(draft, null);
    if (!result.ok) throw new Error(result.error);
    return result.value;
  }

  return { paths: () => pathsUnder(root), start, kill, client, reader, appended };
}

/** Throws when the bytes do not have the hash that came with them. */
export function entryOf(read: ReadEntry): Entry {
  const bytes = new TextEncoder().encode(read.bytes);
  const decoded = decodeEntry(bytes);
  if (!decoded.ok) throw new Error(decoded.error);
  if (leafHash(bytes) !== read.hash) throw new Error(`entry ${decoded.value.seq} does not have its hash`);
  return decoded.value;
}

export async function everything(from: LedgerReader): Promise<readonly ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for (let next: number | null = 0; next !== null; ) {
    const page: Awaited<ReturnType<LedgerReader['query']>> = await from.query({ afterSeq: next, limit: 1000 });
    entries.push(...page.entries);
    next = page.next;
  }
  return entries;
}
