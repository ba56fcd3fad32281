// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetFacts } from './egress/check-net-permit.ts';
import { imageAccounts } from './effects/account-names.ts';
import { addon } from './effects/addon.ts';
import { bootId, bootMillis } from './effects/clock.ts';
import { readDeclaredAgents, readDeclaredOperators } from './effects/declared-files.ts';
import { connectLedger } from './effects/ledger-client.ts';
import { listenOn } from './effects/listen.ts';
import { sealMachineKey, takeMachineKey } from './effects/machine-key.ts';
import { logOf, type Log } from './effects/log.ts';
import { notifyReady } from './effects/notify.ts';
import { strangersAtTheDoor } from './effects/operator-listener.ts';
import { pathsUnder } from './effects/paths.ts';
import { processKeyring } from './effects/process-keyring.ts';
import { publishBindings } from './effects/published-bindings.ts';
import { publishSources } from './effects/published-sources.ts';
import { readCredential } from './effects/secret-credential.ts';
import { openSecretFiles, type SecretFiles } from './effects/secret-files.ts';
import { serveRedactions } from './effects/redact-server.ts';
import { sourceAsker } from './effects/source-http.ts';
import { serveSecretRequests } from './effects/secret-requests.ts';
import { openSettings } from './effects/settings.ts';
import { openUsedReceipts } from './effects/used-receipts.ts';
import type { DeclaredAgent, DeclaredOperator } from './config/declared.ts';
import { runnerUnit } from './door/agent-units.ts';
import { accept, refuse } from './identity/result.ts';
import { parseReceiptKey } from './ledger/receipt.ts';
import { onlyRoot } from './root-option.ts';
import { bindingsOf } from './secret/access.ts';
import { openAttempts } from './secret/attempts.ts';
import { endGrace } from './secret/change-store.ts';
import type { MachineKey } from './secret/machine-key.ts';
import type { StoreHeader } from './secret/store-header.ts';
import { serveCalls } from './secretd/call-desk.ts';
import { openDesk, type Desk } from './secretd/operator-desk.ts';
import { openRedactionDesk } from './secretd/redaction-desk.ts';
import { recorder, SELF, type Record } from './secretd/record.ts';
import { openSourceDesk } from './secretd/source-desk.ts';
import { serveUses } from './secretd/use-desk.ts';
import { openVault, type Vault } from './secretd/vault.ts';

const RETRY_MS = 1_000;
/** Values whose grace has ended are forgotten, and a disk that did not take a change is asked again. */
const EACH_MS = 60_000;

/** holdfast-secretd: the only process that has secrets. It hands one value for one recorded permit to holdfast-egress, or to the runner of a call. */
export async function main(args: readonly string[]): Promise<void> {
  // Before there is anything to be read out of this process (D02, D04).
  addon().forbidDumps();
  const root = onlyRoot('holdfast-secretd', args);
  const paths = pathsUnder(root);
  const log = logOf('holdfast-secretd');
  process.on('uncaughtException', (fault) => {
    log.error({ fault: String(fault.stack ?? fault) }, 'stopping at a fault; secrets are closed with it');
    process.exit(70);
  });

  const settings = openSettings(paths, 'holdfast-secretd', { path: paths.secretSettings, mode: 0o644 }, log);
  const accounts = imageAccounts(root);
  // Under a root of its own, whoever is not named there runs as the user we run as.
  const uidOf = (name: string): number | null => accounts.uidOf(name) ?? (root === '' ? null : process.getuid!());
  const writers = ['holdfast', 'holdfast-ledger', 'holdfast-watch'].map(uidOf);
  const egressUid = uidOf('holdfast-egress');
  const ledger = connectLedger(paths.ledgerAppendSocket);
  const record = recorder(ledger);
  const files = openSecretFiles(paths.secretStoreIn, paths.secretStoreOut);
  const machineKey = takeMachineKey(paths.secretStoreIn);
  const publish = (): void => {
    try {
      const header = vault.header();
      publishBindings(paths.secretBindings, { v: 1, state: vault.state(), bindings: header === null ? [] : bindingsOf(header), ...(wanted(header, machineKey) ? { why: machineKey.why! } : {}) });
      // A header that nobody has vouched for opens no way.
      const sources = vault.state() === 'open' ? (header?.sources ?? []) : [];
      publishSources(paths, sources.map(({ name, host, port, address }) => ({ name, host, port, address })));
    } catch (fault) {
      log.error({ fault: (fault as Error).message }, 'what is bound to whom, or where sources are, could not be published');
    }
  };
  const keyring = processKeyring();
  const vault = openVault(files.take(), {
    keyring, files, random: randomBytes,
    onChange: () => {
      publish();
      sources.follow();
      redactions.changed();
    },
  });
  const sources = openSourceDesk({ vault, keyring, ask: sourceAsker(paths.egressSourceSocket), record, bootMs: bootMillis, wallMs: Date.now, onKnown: () => redactions.changed() });
  const redactions = openRedactionDesk(vault, sources.everything);
  publish();

  let operators: readonly DeclaredOperator[] = [];
  const readOperators = async (): Promise<void> => {
    const read = await readDeclaredOperators(paths.declaredOperators);
    if (!read.ok) log.warn({ why: read.error }, 'nobody is served as an operator');
    // Who they are cannot be known from a file that cannot be read: nobody is one.
    operators = read.ok ? read.value : [];
  };

  const desk = openDesk({
    vault, files, record, sources, operators: () => operators, random: randomBytes, wallMs: Date.now,
    rotateDays: () => Math.floor(settings.value('secrets.rotateAfter') / 86_400_000), graceHours: () => Math.floor(settings.value('secrets.grace') / 3_600_000),
    attempts: openAttempts(bootMillis), credential: () => readCredential(paths.credentials),
    machineKey: () => machineKey, sealKey: (key) => sealMachineKey(paths.secretStoreOut, key),
  });
  const strangers = strangersAtTheDoor((uid, why, count) => void record('door.refused', SELF, { agent: null, door: 'secrets', uid, why, count }));
  const used = openUsedReceipts(`${paths.secretRuntime}/used`, bootMillis);
  const facts = (): NetFacts => {
    const key = parseReceiptKey(readFileSync(paths.receiptKey, 'utf8'));
    if (!key.ok) throw new Error(`cannot read ${paths.receiptKey}: ${key.error}`);
    return { receiptKey: key.value, boot: bootId(), now: bootMillis() };
  };
  const onFault = (fault: unknown): void => log.error({ fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }, 'a fault');

  const operatorServer = await listenOn('operator', paths.secretOperatorSocket);
  const useServer = await listenOn('use', paths.secretUseSocket);
  const callServer = await listenOn('call', paths.secretCallSocket);
  const redactServer = await listenOn('redact', paths.secretRedactSocket);
  serveSecretRequests(operatorServer, {
    // Read for each connection: these are few, and a role that was taken away is gone at once.
    admit: async (uid) => {
      await readOperators();
      return desk.admit(uid);
    },
    answer: desk.answer,
    strangers,
    onFault,
  });
  serveRedactions(redactServer, {
    redactor: redactions.current,
    mayAsk: (uid) => writers.includes(uid),
    onRefused: (facts) => log.warn(facts, 'a connection to the redact socket was refused'),
  });
  serveUses(useServer, { vault, record, sources, egressUid, facts, used, wallMs: Date.now, log });
  serveCalls(callServer, {
    vault, record, sources, facts, used, wallMs: Date.now, log,
    // Read for each connection: these are few.
    runnerOf: async (peer) => {
      const declared = await readDeclaredAgents(paths.declaredAgents);
      if (!declared.ok) return null;
      // Under a root of its own there are no units.
      return declared.value.agents.find((agent) => agent.uid === peer.uid && (root !== '' || peer.cgroup === runnerGroup(agent)))?.name ?? null;
    },
  });
  void openAtStart(vault, desk, record, log);
  setInterval(() => {
    sources.sweep();
    void endGraces(vault, files, record, log).then(desk.keepAgain).catch(onFault);
  }, EACH_MS).unref();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      vault.lock();
      process.exit(0);
    });
  }
  notifyReady();
  log.info({ state: vault.state(), problem: vault.problem() }, 'ready');
}

/** A key that failed and opens nothing here is nobody's trouble. */
function wanted(header: StoreHeader | null, key: MachineKey): boolean {
  return key.why !== null && header?.slots.some(({ kind }) => kind === 'credential') === true;
}

/** The agent's own program has the same uid; it is in another unit, and so are the calls. */
function runnerGroup({ name, pack }: DeclaredAgent): string {
  return `/agents.slice/agents-${pack}.slice/agents-${pack}-${name}.slice/${runnerUnit(name)}/main`;
}

/** With the machine's own key, where it has one; else it is on record that secrets are closed, and why (R43). */
async function openAtStart(vault: Vault, desk: Desk, record: Record, log: Log): Promise<void> {
  for (;;) {
    const opened = vault.state() === 'locked' ? await desk.openByCredential() : null;
    if (vault.state() === 'open') return log.info({}, 'secrets are open');
    if (opened?.retry !== true) {
      const why = opened === null ? (vault.problem() ?? 'there is no store yet') : `nobody has unlocked them since the start; ${opened.why}`;
      const recorded = await record('secret.closed', SELF, { state: vault.state(), by: SELF.id, why: why.slice(0, 300) });
      if (recorded.ok) return;
    }
    log.warn({}, 'the ledger cannot be written yet');
    await sleep(RETRY_MS);
  }
}

async function endGraces(vault: Vault, files: SecretFiles, record: Record, log: Log): Promise<void> {
  const header = vault.state() === 'open' ? vault.header() : null;
  if (header === null || endGrace(header, Date.now()) === null) return;
  const ended = vault.change((now) => {
    const next = endGrace(now, Date.now());
    return next === null ? refuse('no grace has ended') : accept(next);
  });
  if (!ended.ok) return log.warn({ why: ended.error }, 'a value whose grace has ended is still kept');
  await record('secret.changed', SELF, { what: 'grace ended', name: '*', by: SELF.id, generation: vault.header()?.generation ?? 0 });
  const why = await files.kept();
  if (why !== null) log.warn({ why }, 'a value whose grace has ended is still on the disk');
}
