// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach } from 'vitest';
import { bootMillis } from '../effects/clock.ts';
import { askSecretd, type SecretAsked } from '../effects/secret-client.ts';
import type { Paths } from '../effects/paths.ts';
import type { SecretAnswer } from '../egress/egress-wire.ts';
import type { NetPermit } from '../egress/net-permit.ts';
import type { AgentName, CallId } from '../identity/ids.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { Entry, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit } from '../sandbox/permit.ts';
import type { SecretRequest } from '../secret/operator-wire.ts';
import { entryOf, everything, useLedgerRole, type LedgerRole } from './ledger-role.ts';

const MAIN = join(import.meta.dirname, '../main.ts');

/** Accounts that nobody here has. The ledger runs as root and takes root's word as holdfastd's. */
export const UIDS = { secret: 64_990, egress: 64_991, ops: 64_992, viewer: 64_993, stranger: 64_994 } as const;
export const PASSPHRASE = 'correct horse battery staple';

/** Who has which part. Keys of root are not bounded as those of users are: who needs many of them here is root, and root's word is another's. */
const USUAL = { secret: UIDS.secret as number, daemon: 0 };
const MANY_KEYS = { secret: 0, daemon: 64_995 };

/** What root's units do in the product: hand the store over before a start, keep what secretd puts out. */
export type Keeping = 'keep' | 'refuse' | 'silent';

export type SecretdRole = {
  readonly ledger: LedgerRole;
  readonly paths: () => Paths;
  /** The store as it lies on the disk that only root sees. */
  readonly disk: () => string;
  /** The key of this machine as root's units sealed it; here it lies there as it is. */
  readonly sealed: () => string;
  readonly start: (options?: { readonly load?: 'store' | 'nothing' | 'failed' | 'not again'; readonly credential?: string | Buffer; readonly machineKey?: string; readonly wrap?: readonly string[]; readonly cwd?: string }) => Promise<ChildProcess>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  readonly keeping: (how: Keeping) => void;
  readonly ask: <T = unknown>(request: SecretRequest, secret?: string, uid?: number) => Promise<SecretAsked<T>>;
  readonly done: <T = unknown>(request: SecretRequest, secret?: string) => Promise<T>;
  /** A store, open, with one secret of agent coder for api.example.com. */
  readonly prepared: (value: string) => Promise<void>;
  /** Before the first start, for more keys than a user of this machine may have. */
  readonly withManyKeys: () => Promise<void>;
  readonly permit: (change?: Partial<NetPermit>) => NetPermit;
  readonly receipt: (permit: NetPermit | Permit) => Promise<Receipt>;
  readonly egress: (uid?: number) => UseLine;
  readonly use: (change?: Partial<NetPermit>, name?: string) => Promise<SecretAnswer>;
  readonly entries: (kind: string) => Promise<readonly Entry[]>;
  /** What it said on standard error. */
  readonly said: () => string;
  readonly role: () => ChildProcess;
};

export type UseLine = { readonly ask: (name: string, permit: unknown, receipt: unknown) => Promise<SecretAnswer>; readonly close: () => void };

export function asUid<T>(uid: number, what: () => T): T {
  process.setegid!(uid);
  process.seteuid!(uid);
  try {
    return what();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

export function useSecretdRole(): SecretdRole {
  const ledger = useLedgerRole();
  let role: ChildProcess | null = null;
  let said = '';
  let how: Keeping = 'keep';
  let keeper: NodeJS.Timeout | null = null;
  let line: UseLine | null = null;
  let calls = 0;
  let who = USUAL;

  const { paths } = ledger;
  const rootOf = (): string => paths().units.replace('/run/systemd/system', '');
  const disk = (): string => `${rootOf()}/disk/store`;
  const sealed = (): string => `${rootOf()}/disk/machine-key`;

  beforeEach(async () => {
    const root = rootOf();
    chmodSync(root, 0o755);
    for (const folder of ['etc', 'disk', 'run/holdfast/declared', 'run/credentials/secretd']) mkdirSync(`${root}/${folder}`, { recursive: true, mode: 0o755 });
    for (const folder of ['holdfast-secretd', 'holdfast-secret-call', 'holdfast-secrets', 'holdfast-secret', 'holdfast-secret-store/in', 'holdfast-secret-store/out']) {
      mkdirSync(`${root}/run/${folder}`, { recursive: true, mode: 0o755 });
      chownSync(`${root}/run/${folder}`, UIDS.secret, UIDS.secret);
    }
    who = USUAL;
    accounts();
    const operators = [{ name: 'anna', uid: UIDS.ops, roles: ['ops'] }, { name: 'vera', uid: UIDS.viewer, roles: ['viewer'] }];
    writeFileSync(paths().declaredOperators, JSON.stringify({ operators }), { mode: 0o644 });
    how = 'keep';
    keeper = setInterval(keep, 10);
    await ledger.start();
    chmodSync(paths().ledgerAppendSocket, 0o666);
  });
  afterEach(async () => {
    line?.close();
    line = null;
    if (keeper !== null) clearInterval(keeper);
    await kill('SIGKILL');
  });

  function accounts(): void {
    const uids = { holdfast: who.daemon, 'holdfast-secret': who.secret, 'holdfast-egress': UIDS.egress };
    writeFileSync(`${rootOf()}/etc/passwd`, Object.entries(uids).map(([name, uid]) => `${name}:x:${uid}:${uid}::/:/\n`).join(''));
  }

  async function withManyKeys(): Promise<void> {
    who = MANY_KEYS;
    accounts();
    await ledger.kill('SIGTERM');
    await ledger.start();
    chmodSync(paths().ledgerAppendSocket, 0o666);
  }

  function keep(): void {
    const out = paths().secretStoreOut;
    if (how !== 'silent' && existsSync(`${out}/machine-key`)) {
      if (how === 'keep') writeFileSync(sealed(), readFileSync(`${out}/machine-key`));
      rmSync(`${out}/machine-key`);
      writeFileSync(`${out}/machine-key.answer`, how === 'refuse' ? 'the firmware tells the TPM nothing\n' : 'kept\n');
      renameSync(`${out}/machine-key.answer`, `${out}/machine-key-${how === 'refuse' ? 'failed' : 'kept'}`);
    }
    if (how === 'silent' || !existsSync(`${out}/store`)) return;
    const bytes = readFileSync(`${out}/store`);
    rmSync(`${out}/store`);
    if (how === 'refuse') return writeFileSync(`${out}/failed`, 'the disk is full\n');
    writeFileSync(disk(), bytes);
    writeFileSync(`${out}/kept.new`, `${createHash('sha256').update(bytes).digest('hex')}\n`);
    renameSync(`${out}/kept.new`, `${out}/kept`);
  }

  function load(what: 'store' | 'nothing' | 'failed'): void {
    const inside = paths().secretStoreIn;
    for (const name of ['store', 'none', 'failed']) rmSync(`${inside}/${name}`, { force: true });
    if (what === 'failed') writeFileSync(`${inside}/failed`, 'the partition cannot be mounted');
    if (what !== 'store') return;
    if (!existsSync(disk())) return writeFileSync(`${inside}/none`, '');
    writeFileSync(`${inside}/store`, readFileSync(disk()), { mode: 0o600 });
    chownSync(`${inside}/store`, who.secret, who.secret);
  }

  const start: SecretdRole['start'] = async (options = {}) => {
    if (options.load !== 'not again') load(options.load ?? 'store');
    const root = rootOf();
    if (options.machineKey !== undefined) writeFileSync(`${paths().secretStoreIn}/machine-key`, `${options.machineKey}\n`);
    const env: NodeJS.ProcessEnv = {};
    if (options.credential !== undefined) {
      env['CREDENTIALS_DIRECTORY'] = `${root}/run/credentials/secretd`;
      writeFileSync(`${root}/run/credentials/secretd/holdfast.secret-key`, options.credential, { mode: 0o400 });
      chownSync(`${root}/run/credentials/secretd/holdfast.secret-key`, UIDS.secret, UIDS.secret);
    }
    const words = [...(options.wrap ?? []), process.execPath, MAIN, 'holdfast-secretd', '--root', root];
    const started = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], env, uid: who.secret, gid: who.secret, cwd: options.cwd ?? '/' });
    role = started;
    said = '';
    await new Promise<void>((resolve, reject) => {
      started.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('"ready"')) resolve();
      });
      started.once('exit', () => reject(new Error(`secretd did not start: ${said}`)));
    });
    // As the socket units have them: the folder and the file let these in.
    for (const socket of [paths().secretOperatorSocket, paths().secretUseSocket, paths().secretRedactSocket, paths().secretCallSocket]) chmodSync(socket, 0o666);
    return started;
  };

  async function kill(signal: NodeJS.Signals): Promise<void> {
    const dying = role;
    role = null;
    line?.close();
    line = null;
    if (dying === null || dying.exitCode !== null || dying.signalCode !== null) return;
    dying.kill(signal);
    await once(dying, 'exit');
  }

  const ask: SecretdRole['ask'] = (request, secret = '', uid = UIDS.ops) => asUid(uid, () => askSecretd(paths().secretOperatorSocket, request, Buffer.from(secret)));

  async function done<T>(request: SecretRequest, secret?: string): Promise<T> {
    const answer = await ask<T>(request, secret);
    if (answer.ok !== true) throw new Error(answer.error);
    if (answer.disk !== null) throw new Error(answer.disk);
    return answer.value;
  }

  async function prepared(value: string): Promise<void> {
    await start();
    await done({ op: 'init' }, PASSPHRASE);
    await done({ op: 'set', name: 'A_KEY', agents: ['coder'], forbid: null, hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null }, value);
  }

  function permit(change: Partial<NetPermit> = {}): NetPermit {
    calls += 1;
    const call = `c-${String(calls).padStart(16, '0')}` as CallId;
    return { v: 1, kind: 'net', call, agent: 'coder' as AgentName, host: 'api.example.com', port: 443, secrets: ['A_KEY'], notAfter: bootMillis() + 60_000, ...change };
  }

  const writer = (() => {
    let made: ReturnType<LedgerRole['client']> | null = null;
    beforeEach(() => void (made = null));
    return () => (made ??= ledger.client());
  })();

  async function receipt(of: NetPermit | Permit): Promise<Receipt> {
    const digest = sha256Hex(canonicalJson(of as unknown as JsonValue));
    const draft = { kind: 'call.intent', actor: { type: 'system', id: 'holdfastd' }, trace: null, span: null, data: { agent: of.agent, permit_digest: digest, not_after: of.notAfter } } as const;
    const written = await asUid(who.daemon, () => writer().append(draft, { digest, agent: of.agent, notAfter: of.notAfter }));
    if (!written.ok || written.value.receipt === null) throw new Error('no receipt');
    return written.value.receipt;
  }

  function egress(uid: number = UIDS.egress): UseLine {
    const socket = asUid(uid, () => connect(paths().secretUseSocket));
    return useLine(socket);
  }

  async function use(change: Partial<NetPermit> = {}, name = 'A_KEY'): Promise<SecretAnswer> {
    line ??= egress();
    const asked = permit(change);
    return line.ask(name, asked, await receipt(asked));
  }

  async function entries(kind: string): Promise<readonly Entry[]> {
    const all = (await everything(await ledger.reader())).map(entryOf);
    return all.filter((entry) => entry.kind === kind);
  }

  return { ledger, paths, disk, sealed, start, kill, withManyKeys, keeping: (next) => void (how = next), ask, done, prepared, permit, receipt, egress, use, entries, said: () => said, role: () => role! };
}

function useLine(socket: Socket): UseLine {
  const waiting = new Map<number, (answer: SecretAnswer) => void>();
  let text = '';
  let last = 0;
  let over = false;
  const end = (): void => {
    over = true;
    for (const [id, tell] of waiting) tell({ id, ok: false, rule: 'locked', why: 'the connection was closed' });
  };
  socket.on('error', () => {});
  socket.on('close', end);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
      const answer = JSON.parse(text.slice(0, at)) as SecretAnswer;
      text = text.slice(at + 1);
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    }
  });
  return {
    ask: async (name, permit, receipt) => {
      const id = (last += 1);
      const answered = new Promise<SecretAnswer>((resolve) => waiting.set(id, resolve));
      if (over) end();
      else socket.write(`${JSON.stringify({ id, ask: 'use', name, permit, receipt })}\n`);
      return Promise.race([answered, sleep(20_000, null, { ref: false }).then(() => Promise.reject(new Error('no answer')))]);
    },
    close: () => void socket.destroy(),
  };
}
