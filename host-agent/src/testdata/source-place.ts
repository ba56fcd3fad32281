// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { SecretRequest } from '../secret/operator-wire.ts';
import { doorDouble, type DoorDouble } from './egress-doubles.ts';
import { PASSPHRASE, UIDS, useSecretdRole, type SecretdRole } from './secretd-role.ts';
import type { VaultOrder } from './vault-world.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const WORLD = join(import.meta.dirname, 'egress-world.ts');
const VAULT = join(import.meta.dirname, 'vault-world.ts');
/** Of the world outside. */
const ADDRESSES = ['93.184.216.34/32', '93.184.216.35/32', '93.184.216.53/32', '93.184.216.36/32', '2606:2800:220:1::34/128', '10.0.0.5/32', '169.254.169.254/32'];
/** Of the machine that holdfast-egress is on, as the world sees it. */
export const OWN_ADDRESS = '10.200.0.1';
export const TOKEN = 'hvs.CAESIJ-canary-token-of-the-machine';

export type Asked = { readonly method: string; readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };
export type SourcePlace = {
  readonly box: SecretdRole;
  readonly root: () => string;
  /** A server at an address of the world. What it is asked is in `asked`. */
  readonly startVault: (address?: string) => Promise<void>;
  readonly killVault: () => Promise<void>;
  readonly order: (order: VaultOrder) => Promise<void>;
  readonly asked: () => readonly Asked[];
  readonly poured: () => number;
  readonly pem: () => string;
  /** holdfastd, as holdfast-egress sees it. */
  readonly door: () => DoorDouble;
  readonly egress: () => ChildProcess;
  readonly secretd: () => ChildProcess;
  /** What holdfast-egress said. */
  readonly egressSaid: () => string;
  /** A store that is open, a server with one value at kv/app, and the source with its certificates. */
  readonly ready: (options?: { readonly cacheSeconds?: number; readonly url?: string; readonly address?: string | null; readonly ca?: boolean; readonly token?: Parameters<typeof tokenOrder>[0] }) => Promise<void>;
  readonly set: (from?: string, name?: string) => SecretRequest;
};

const tokenOrder = (options: Extract<VaultOrder, { token: unknown }>['token'][1]): VaultOrder => ({ token: [TOKEN, options] });

/** Two namespaces and a wire: the machine with holdfast-egress, and the world with names, hosts and a server of secrets. */
export function useSourcePlace(): SourcePlace {
  const box = useSecretdRole();
  const held: ChildProcess[] = [];
  let folder = '';
  let machine: ChildProcess;
  let world: ChildProcess;
  let vault: ChildProcess | null = null;
  let egress: ChildProcess;
  let door: DoorDouble;
  let secretd: ChildProcess;
  let egressSaid = '';
  let lines: Record<string, unknown>[] = [];
  const root = (): string => box.paths().units.replace('/run/systemd/system', '');

  async function started(words: readonly string[], ready: string, onText: (text: string) => void = () => {}): Promise<ChildProcess> {
    const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        said = `${said}${chunk.toString()}`.slice(-20_000);
        onText(chunk.toString());
        if (said.includes(ready)) resolve();
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('exit', () => reject(new Error(`${words.join(' ')} did not start: ${said}`)));
    });
    return child;
  }
  const inside = (child: ChildProcess, words: readonly string[]): readonly string[] => ['nsenter', '-t', String(child.pid), '-n', '-m', '--', ...words];
  async function ended(child: ChildProcess | null): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hf-sources-'));
    writeFileSync(`${folder}/resolv.conf`, 'nameserver 93.184.216.53\n');
    const space = (script: readonly string[]): readonly string[] => ['unshare', '-n', '-m', '--propagation', 'private', '/bin/bash', '-c', ['set -e', 'ip link set lo up', ...script].join('; ')];
    machine = await started(space([`mount --bind ${folder}/resolv.conf /etc/resolv.conf`, 'echo made', 'exec sleep 3600']), 'made');
    held.push(machine);
    world = await started(space([...ADDRESSES.map((address) => `ip ${address.includes(':') ? '-6 ' : ''}addr add ${address} dev lo`), `exec ${process.execPath} ${WORLD} ${folder}/world`]), '"ready":true');
    held.push(world);
    execFileSync('ip', ['link', 'add', 'out', 'netns', String(machine.pid), 'type', 'veth', 'peer', 'name', 'in', 'netns', String(world.pid)]);
    const [here, there] = [inside(machine, ['ip']), inside(world, ['ip'])];
    for (const words of [
      [...here, 'addr', 'add', `${OWN_ADDRESS}/24`, 'dev', 'out'], [...here, 'link', 'set', 'out', 'up'], [...there, 'addr', 'add', '10.200.0.2/24', 'dev', 'in'], [...there, 'link', 'set', 'in', 'up'],
      [...here, 'route', 'add', 'default', 'via', '10.200.0.2'],
    ]) execFileSync(words[0]!, words.slice(1));
    // Something of the machine's own, which nobody should reach.
    held.push(await started(inside(machine, [process.execPath, '-e', `require('node:net').createServer().listen(8200, '${OWN_ADDRESS}', () => console.log('listens'))`]), 'listens'));
  });
  afterAll(async () => {
    for (const child of held.toReversed()) await ended(child);
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    lines = [];
    egressSaid = '';
    const run = `${root()}/run`;
    for (const name of ['holdfast-sources', 'holdfast-egress/sources']) mkdirSync(`${run}/${name}`, { recursive: true, mode: 0o755 });
    chownSync(`${run}/holdfast-sources`, UIDS.secret, UIDS.secret);
    mkdirSync(`${root()}/var/lib/holdfast-egress`, { recursive: true });
    writeFileSync(box.paths().declaredAgents, JSON.stringify({ agents: [], problems: [] }), { mode: 0o644 });
    door = doorDouble(box.paths().egressDoorSocket, () => {
      throw new Error('no agent is out here');
    });
    await door.start();
    egress = await started(inside(machine, [process.execPath, MAIN, 'holdfast-egress', '--root', root()]), '"ready"', (text) => (egressSaid += text));
    for (const path of [run, `${run}/holdfast-egress`, `${run}/holdfast-egress/sources`]) chmodSync(path, 0o755);
    chmodSync(box.paths().egressSourceSocket, 0o666);
  });
  afterEach(async () => {
    await killVault();
    await ended(egress);
    await door.stop();
  });

  async function startVault(address = '93.184.216.34'): Promise<void> {
    let half = '';
    vault = await started(inside(world, [process.execPath, VAULT, `${folder}/vault`, 'vault.example.com', address, '8200']), '"ready"', (text) => {
      const parts = `${half}${text}`.split('\n');
      half = parts.pop()!;
      for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part) as Record<string, unknown>);
    });
  }
  async function killVault(): Promise<void> {
    await ended(vault);
    vault = null;
  }
  async function order(what: VaultOrder): Promise<void> {
    const before = lines.filter((line) => 'done' in line).length;
    vault!.stdin!.write(`${JSON.stringify(what)}\n`);
    for (const until = performance.now() + 5_000; lines.filter((line) => 'done' in line).length === before; await new Promise((turn) => setTimeout(turn, 5))) {
      if (performance.now() > until) throw new Error('the server did not do as it was told');
    }
  }

  const pem = (): string => readFileSync(`${folder}/vault/ca.pem`, 'utf8');
  const set = (from = 'vault:kv/app#key', name = 'A_KEY'): SecretRequest => ({ op: 'set', name, agents: ['coder'], forbid: null, hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null, from });

  return {
    box, root, startVault, killVault, order, pem, set,
    asked: () => lines.filter((line) => 'url' in line) as unknown as readonly Asked[],
    poured: () => Math.max(0, ...lines.filter((line) => 'poured' in line).map((line) => Number(line['poured']))),
    door: () => door,
    egress: () => egress,
    secretd: () => secretd,
    egressSaid: () => egressSaid,
    ready: async ({ cacheSeconds = 60, url = 'https://vault.example.com:8200', address = null, ca = true, token = { ttl: 3_600, renewable: true } } = {}) => {
      secretd = await box.start();
      await box.done({ op: 'init' }, PASSPHRASE);
      await startVault(address ?? undefined);
      await order(tokenOrder(token));
      await order({ put: ['kv/app', { key: 'sk-ant-api03-canary-of-the-source', other: 'canary-that-nobody-asked-for' }] });
      await box.done({ op: 'source-add', name: 'vault', url, namespace: null, address, cacheSeconds }, TOKEN);
      if (ca) await box.done({ op: 'source-ca', name: 'vault' }, pem());
    },
  };
}
