// SPDX-License-Identifier: Apache-2.0
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { DeclaredAgent } from './config/declared.ts';
import { imageAccounts } from './effects/account-names.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { readDeclaredAgents, watchFile } from './effects/declared-files.ts';
import { dialer } from './effects/dial.ts';
import { agentSockets } from './effects/egress-agent-sockets.ts';
import { openAuthority } from './effects/egress-authority.ts';
import { serveFetches } from './effects/egress-fetch.ts';
import { serveSources } from './effects/egress-sources.ts';
import { egressProxy } from './effects/egress-proxy.ts';
import { listenOn } from './effects/listen.ts';
import { logOf } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { openWays } from './effects/open-ways.ts';
import { readPublishedSources } from './effects/published-sources.ts';
import { pathsUnder, type Paths } from './effects/paths.ts';
import { secretAsker } from './effects/secret-values.ts';
import { openSettings } from './effects/settings.ts';
import { openUsedReceipts } from './effects/used-receipts.ts';
import type { NetFacts } from './egress/check-net-permit.ts';
import { parseReceiptKey } from './ledger/receipt.ts';
import { onlyRoot } from './root-option.ts';

/** What was told last is read from us by then. */
const LAST_WORDS_MS = 200;
const SECRETD_GROUP = '/system.slice/holdfast-secretd.service';

/** holdfast-egress: the only process from which packets leave. It judges nothing, keeps no secret, and writes to memory alone. */
export async function main(args: readonly string[]): Promise<void> {
  const root = onlyRoot('holdfast-egress', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfast-egress');
  const boot = bootId();
  // Its folder's group is holdfastd's, which shows them.
  const settings = openSettings(paths, 'holdfast-egress', { path: paths.egressSettings, mode: 0o640 }, log);
  const authority = openAuthority(paths.egressAuthority);
  const extraRoots = existsSync(paths.egressExtraRoots) ? readFileSync(paths.egressExtraRoots, 'utf8') : '';
  publishTrust(paths, authority.pem, extraRoots);

  const facts = (): NetFacts => ({ receiptKey: receiptKey(paths.receiptKey), boot, now: bootMillis() });
  const ways = openWays({ socket: paths.egressDoorSocket, facts, used: openUsedReceipts(`${paths.egressAuthority}/used`, bootMillis), log });
  const dial = dialer(trustOf(extraRoots), () => settings.value('egress.connectTimeout'));
  const secretOf = secretAsker(paths.secretUseSocket, 'use');
  const proxy = egressProxy({
    ways, dial, authority, secretOf, log,
    responseMs: () => settings.value('egress.responseTimeout'),
    idleMs: () => settings.value('egress.idleTimeout'),
  });
  const accounts = root === '' ? imageAccounts('') : null;
  const own = process.getuid!();
  const sockets = agentSockets({
    folder: paths.egressAgentSockets,
    relayUid: accounts === null ? own : (accounts.uidOf('hf-relay') ?? -1),
    relayGid: accounts?.gidOf('hf-relay') ?? null,
    relayGroup: accounts === null ? null : relayGroup,
    serve: proxy.serve,
    turnedAway: ways.turnedAway,
    log,
  });

  let agents: readonly DeclaredAgent[] = [];
  let last: Promise<void> = Promise.resolve();
  /** One reading after the other. A file that cannot be used leaves what held before (A28). */
  const reload = (): Promise<void> =>
    (last = last.then(async () => {
      const read = await readDeclaredAgents(paths.declaredAgents);
      if (!read.ok) return log.error({ why: read.error }, 'the declared agents cannot be read; what held before holds');
      agents = read.value.agents;
      await sockets.follow(agents);
    }));
  const close = watchFile(paths.declaredAgents, () => void reload());
  await reload();

  const fetches = await listenOn('fetch', paths.egressFetchSocket);
  // Its folder's group is holdfastd's, by the setgid bit.
  if (accounts !== null) chmodSync(paths.egressFetchSocket, 0o660);
  serveFetches(fetches, {
    ways, dial, secretOf, facts, log,
    agentOf: (name) => {
      const agent = agents.find((known) => known.name === name);
      return agent === undefined || (agent.net ?? null) === null ? null : { name: agent.name, net: agent.net!, secrets: agent.secrets ?? [] };
    },
    callerUid: accounts === null ? own : (accounts.uidOf('holdfast') ?? -1),
  });
  const sources = await listenOn('sources', paths.egressSourceSocket);
  // Its folder's group is that of holdfast-secretd.
  if (accounts !== null) chmodSync(paths.egressSourceSocket, 0o660);
  // Under a root of its own, whoever is not named there runs as the user we run as.
  const secretd = imageAccounts(root).uidOf('holdfast-secret') ?? (root === '' ? -1 : own);
  serveSources(sources, {
    dial, log,
    note: ways.note,
    declared: () => readPublishedSources(root, paths.secretSources, [secretd]),
    caller: { uid: secretd, group: root === '' ? SECRETD_GROUP : null },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      close();
      fetches.close();
      sources.close();
      // Before the connections of agents: how each way ended is told as what it was, and holdfastd still listens (R100).
      ways.close();
      sockets.close();
      setTimeout(() => process.exit(0), LAST_WORDS_MS);
    });
  }
  notifyReady();
  log.info({ agents: agents.filter((agent) => (agent.net ?? null) !== null).length }, 'ready');
}

function relayGroup({ name, pack }: DeclaredAgent): string {
  return `/agents.slice/agents-${pack}.slice/agents-${pack}-${name}.slice/holdfast-relay@${name}.service`;
}

/** Read each time: the ledger makes a new key only with a new state, and is started with us. */
function receiptKey(path: string): NetFacts['receiptKey'] {
  const key = parseReceiptKey(readFileSync(path, 'utf8'));
  if (!key.ok) throw new Error(key.error);
  return key.value;
}

/** Once: it takes OpenSSL a while to read them all. The roots are those that Node brings, and what an operator added. */
function trustOf(extraRoots: string): SecureContext {
  return createSecureContext({ ca: [...rootCertificates, ...(extraRoots === '' ? [] : [extraRoots])], minVersion: 'TLSv1.2' });
}

function publishTrust(paths: Paths, own: string, extraRoots: string): void {
  mkdirSync(paths.egressTrust, { recursive: true, mode: 0o755 });
  // Who is trusted beside the authorities that programs bring (Node adds them), and all of them, for those that read one file in their place.
  const beside = `${own}${extraRoots}`;
  const files = { 'ca.pem': beside, 'ca-bundle.pem': `${rootCertificates.join('\n')}\n${beside}` };
  for (const [name, text] of Object.entries(files)) {
    const path = `${paths.egressTrust}/${name}`;
    // Programs have it open; whole under its name, or not there.
    writeFileSync(`${path}.new`, text, { mode: 0o644 });
    chmodSync(`${path}.new`, 0o644);
    renameSync(`${path}.new`, path);
  }
}
