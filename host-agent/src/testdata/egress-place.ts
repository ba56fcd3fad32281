// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeclaredAgent } from '../config/declared.ts';
import type { HostRule } from '../egress/host-rule.ts';
import { connectLedger, type LedgerClient } from '../effects/ledger-client.ts';
import { pathsUnder, type Paths } from '../effects/paths.ts';
import type { SecretBinding } from '../secret/binding.ts';
import { doorDouble, secretDouble, type DoorDouble, type SecretDouble } from './egress-doubles.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const WORLD = join(import.meta.dirname, 'egress-world.ts');
/** Addresses as they are out there, on the loopback of a namespace that leads nowhere. */
const ADDRESSES = ['93.184.216.34/32', '93.184.216.35/32', '93.184.216.53/32', '93.184.216.36/32', '2606:2800:220:1::34/128', '10.0.0.5/32', '169.254.169.254/32'];

export type WorldLine = Readonly<Record<string, unknown>>;
export type EgressPlace = {
  readonly root: string;
  readonly paths: Paths;
  readonly door: DoorDouble;
  readonly secrets: SecretDouble;
  readonly world: readonly WorldLine[];
  readonly ledger: () => LedgerClient;
  readonly log: () => string;
  readonly egress: () => ChildProcess;
  readonly startEgress: () => Promise<void>;
  readonly declare: (agents: readonly DeclaredAgent[]) => void;
  readonly socketOf: (agent: string) => string;
  /** The command in the namespace where the world is. */
  readonly inWorld: (command: readonly string[]) => readonly [string, readonly string[]];
  readonly close: () => Promise<void>;
};

/** The real role and the real ledger, in a namespace with a world around it. */
export async function openEgressPlace(agents: readonly DeclaredAgent[]): Promise<EgressPlace> {
  const root = mkdtempSync(join(tmpdir(), 'hf-egress-'));
  const paths = pathsUnder(root);
  const children: ChildProcess[] = [];
  const world: WorldLine[] = [];
  let log = '';
  mkdirSync(join(root, 'run/holdfast/declared'), { recursive: true });
  mkdirSync(join(root, 'var/lib/holdfast-egress'), { recursive: true });
  writeFileSync(join(root, 'resolv.conf'), 'nameserver 93.184.216.53\n');
  const declare = (list: readonly DeclaredAgent[]): void => {
    writeFileSync(`${paths.declaredAgents}.new`, JSON.stringify({ agents: list, problems: [] }), { mode: 0o644 });
    execFileSync('mv', [`${paths.declaredAgents}.new`, paths.declaredAgents]);
  };
  declare(agents);

  async function start(command: string, args: readonly string[], ready: string, onText: (text: string) => void = () => {}): Promise<ChildProcess> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        said = `${said}${chunk.toString()}`.slice(-20_000);
        onText(chunk.toString());
        if (said.includes(ready)) resolve();
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('exit', () => reject(new Error(`${args.join(' ')} did not start: ${said}`)));
    });
    return child;
  }

  await start(process.execPath, [MAIN, 'holdfast-ledger', '--root', root], '"ready"');
  const setUp = [
    'set -e', 'ip link set lo up', ...ADDRESSES.map((address) => `ip ${address.includes(':') ? '-6 ' : ''}addr add ${address} dev lo`),
    `mount --bind ${root}/resolv.conf /etc/resolv.conf`, `exec ${process.execPath} ${WORLD} ${root}/world`,
  ].join('; ');
  let half = '';
  const outside = await start('unshare', ['-n', '-m', '--propagation', 'private', '/bin/bash', '-c', setUp], '"ready":true', (text) => {
    const lines = `${half}${text}`.split('\n');
    half = lines.pop()!;
    for (const line of lines) if (line.startsWith('{')) world.push(JSON.parse(line) as WorldLine);
  });
  execFileSync('cp', [`${root}/world/world.pem`, paths.egressExtraRoots]);
  const inWorld = (command: readonly string[]): readonly [string, readonly string[]] => ['nsenter', ['-t', String(outside.pid), '-n', '-m', '--', ...command]];

  const clients: LedgerClient[] = [];
  const ledger = (): LedgerClient => {
    clients[0] ??= connectLedger(paths.ledgerAppendSocket);
    return clients[0];
  };
  const door = doorDouble(paths.egressDoorSocket, ledger);
  const secrets = secretDouble(paths.secretUseSocket);
  await door.start();
  await secrets.start();

  let role: ChildProcess | null = null;
  const startEgress = async (): Promise<void> => {
    role = await start(...inWorld([process.execPath, MAIN, 'holdfast-egress', '--root', root]) as [string, string[]], '"ready"', (text) => (log += text));
  };
  await startEgress();

  return {
    root, paths, door, secrets, world, ledger, declare, startEgress, inWorld,
    log: () => log,
    egress: () => role!,
    socketOf: (agent) => `${paths.egressAgentSockets}/${agent}.sock`,
    close: async () => {
      for (const client of clients) client.close();
      for (const child of children.toReversed()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await door.stop();
      await secrets.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export const rule = (host: string, more: Partial<HostRule> = {}): HostRule => ({ host, mode: 'inspect', methods: null, paths: null, responseMax: 1e9, upgrades: [], ...more });

export function agentWithNet(name: string, uid: number, rules: readonly HostRule[] | null, secrets: readonly SecretBinding[] = []): DeclaredAgent {
  return {
    name, pack: 'main', id: `agent.main.${name}.v1`, type: 'task', mode: 'contained', uid, program: null, home: null, profile: 'p', start: 'manual', capabilities: [], ceiling: { allow: [], deny: [] }, root: 'tools',
    limits: { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 }, workspace: '/w', peers: { agent: '/a', remote: '/b' }, peerLabels: { agent: 'm', remote: 'n' }, callLabel: 'l', containerLabel: null,
    net: rules === null ? null : { rules, quota: { bytesPerDay: 1e9, requestsPerDay: 1e6 } }, secrets, budget: { costPerDay: null, tokensPerHour: null },
  } as unknown as DeclaredAgent;
}
