// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:net';
import { imageAccounts } from './effects/account-names.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { serveAppends } from './effects/ledger-append-server.ts';
import { ledgerFollowers } from './effects/ledger-followers.ts';
import { serveQueries } from './effects/ledger-query-server.ts';
import { listenOn } from './effects/listen.ts';
import { logOf, type Log } from './effects/log.ts';
import { pathsUnder } from './effects/paths.ts';
import { openReceiptSigner } from './effects/receipt-signer.ts';
import { openSqliteLedgerStore } from './effects/sqlite-ledger-store.ts';
import { appendQueue, ownDraft, type AppendQueue } from './ledger/append-queue.ts';
import { decodeEntry } from './ledger/decode.ts';
import type { Entry } from './ledger/entry.ts';
import type { QueryFilter } from './ledger/filter.ts';
import type { LedgerStore } from './ledger/ledger-store.ts';
import { LEDGER_SOURCE } from './ledger/source.ts';
import { UUID7_RANDOM_BYTES } from './ledger/uuid7.ts';
import { onlyRoot } from './root-option.ts';

const RETRY_MS = 5_000;

/** holdfast-ledger: owns the database and the signing key, appends, answers questions, signs receipts. It judges nothing. */
export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfast-ledger', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfast-ledger');
  const boot = bootId();

  const store = openSqliteLedgerStore({ directory: paths.ledgerState, boot });
  const problem = store.problem();
  if (problem !== null) log.error({ problem }, 'the ledger takes no entries; it can still be read and verified');
  const signer = openReceiptSigner(`${paths.ledgerState}/signing.key`, paths.receiptKey);
  const followers = ledgerFollowers(store);
  const newest = await newestOf(store, {});
  const queue = appendQueue({
    store,
    clock: () => ({ wallMs: Date.now(), bootMs: bootMillis() }),
    random: () => randomBytes(UUID7_RANDOM_BYTES),
    later: setImmediate,
    onCommit: followers.committed,
    last: newest === null ? null : { wallMs: Date.parse(newest.time), bootMs: null },
  });
  await recordBoot(store, queue, boot, log);

  const appends = await listenOn('append', paths.ledgerAppendSocket);
  const queries = await listenOn('query', paths.ledgerQuerySocket);
  serveAppends(appends, { queue, signer, boot, writerOf: writers(root), log });
  serveQueries(queries, { store, followers, boot, receiptKey: signer.publicKey });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop([appends, queries], queue, store));
  log.info({ seq: store.head().seq, problem }, 'ready');
}

/** Whose word is taken on the append socket. Under a root of its own, whoever is not named there runs as the user we run as. */
function writers(root: string): (uid: number) => string | null {
  const accounts = imageAccounts(root);
  const daemon = accounts.uidOf('holdfast') ?? (root === '' ? null : (process.getuid?.() ?? null));
  const watch = accounts.uidOf('holdfast-watch');
  const secretd = accounts.uidOf('holdfast-secret');
  return (uid) => {
    if (uid === daemon) return 'holdfastd';
    if (uid === watch) return 'holdfast-watch';
    if (uid === secretd) return 'holdfast-secretd';
    return uid === 0 ? 'root' : null;
  };
}

async function recordBoot(store: LedgerStore, queue: AppendQueue, boot: string, log: Log): Promise<void> {
  const last = await newestOf(store, { kind: 'boot' });
  const previous = last?.data['boot'] ?? null;
  if (previous === boot) return;
  const record = (): void =>
    queue.push(LEDGER_SOURCE, ownDraft('boot', { boot, previous }), (result) => {
      if (result.ok) return;
      log.error({ error: result.error }, 'this boot is not recorded yet');
      setTimeout(record, RETRY_MS).unref();
    });
  record();
  queue.flush();
}

/** Null also when it cannot be read: then the store says what is wrong, and takes no entries. */
async function newestOf(store: LedgerStore, filter: QueryFilter): Promise<Entry | null> {
  const page = await store.query({ ...filter, newestFirst: true, limit: 1 }).catch(() => null);
  const found = page?.entries[0];
  const decoded = found === undefined ? null : decodeEntry(found.bytes);
  return decoded?.ok === true ? decoded.value : null;
}

function stop(servers: readonly Server[], queue: AppendQueue, store: LedgerStore): void {
  for (const server of servers) server.close();
  // Who waits gets the answer before the connection goes.
  queue.flush();
  store.close();
  setImmediate(() => process.exit(0));
}
