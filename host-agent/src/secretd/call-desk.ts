// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { MAX_LINE, readJsonLines, writeJsonLine } from '../effects/json-lines.ts';
import type { Log } from '../effects/log.ts';
import { peerOf, type PeerFacts } from '../effects/peer.ts';
import type { UsedReceipts } from '../effects/used-receipts.ts';
import type { AgentName } from '../identity/ids.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { checkRecorded, type RunnerFacts } from '../sandbox/check-run.ts';
import { decideRead } from '../secret/access.ts';
import { locked, refused, valueNow, writeValue, type Handed } from './handing-out.ts';
import type { Record } from './record.ts';
import type { SourceDesk } from './source-desk.ts';
import type { Vault } from './vault.ts';

export type CallPorts = {
  readonly vault: Vault;
  readonly record: Record;
  readonly sources: Pick<SourceDesk, 'valueFor'>;
  /** Whose runner this is, by the kernel's word; null for everybody else. */
  readonly runnerOf: (peer: PeerFacts) => Promise<AgentName | null>;
  /** Throws while the ledger has published no key. */
  readonly facts: () => Omit<RunnerFacts, 'agent'>;
  readonly used: Pick<UsedReceipts, 'use'>;
  readonly wallMs: () => number;
  readonly log: Log;
};

const MOST_CONNECTIONS = 16;
/** As many numbers belong to one receipt, of which use-desk.ts takes those of ways out: no receipt is for both. */
const MOST_SECRETS = 64;

/**
 * One value for one recorded call (R47), to the runner of its agent alone. That the agent held `secret:read:NAME` is what holdfastd judged
 * and the ledger signed, with the plan that names it; what was said of the secret itself (`none`, `--forbid`) is judged here.
 */
export function serveCalls(server: Server, ports: CallPorts): void {
  server.maxConnections = MOST_CONNECTIONS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    void enter(socket, ports).catch((fault: unknown) => {
      ports.log.error({ fault: fault instanceof Error ? fault.message : String(fault) }, 'a connection of a runner was closed by a fault');
      socket.destroy();
    });
  });
}

async function enter(socket: Socket, ports: CallPorts): Promise<void> {
  const peer = peerOf(socket);
  socket.pause();
  const agent = await ports.runnerOf(peer);
  if (agent === null) {
    ports.log.warn({ uid: peer.uid, cgroup: peer.cgroup }, 'refused a connection that is not from a runner');
    return void socket.destroy();
  }
  readJsonLines(socket, {
    maxBytes: MAX_LINE,
    onValue: (value) => void answer(socket, agent, value, ports),
    onViolation: (reason) => ports.log.warn({ agent, reason }, 'closed a connection that does not speak the protocol'),
  });
  socket.resume();
}

async function answer(socket: Socket, agent: AgentName, value: JsonValue, ports: CallPorts): Promise<void> {
  const id = isObject(value) && isCount(value['id']) ? value['id'] : 0;
  try {
    const handed = await handOut(id, agent, value, ports);
    if (handed.ok) writeValue(socket, id, handed.value);
    else writeJsonLine(socket, handed);
  } catch (fault) {
    ports.log.error({ fault: fault instanceof Error ? fault.message : String(fault) }, 'a reading was refused by a fault');
    writeJsonLine(socket, refused(id, 'receipt', 'a fault in holdfast-secretd stopped this; its journal says more'));
  }
}

async function handOut(id: number, agent: AgentName, value: JsonValue, ports: CallPorts): Promise<Handed> {
  const { vault, used, record, sources } = ports;
  if (vault.state() !== 'open') return locked(id, vault);
  if (!isObject(value) || !checkFields(value, ['id', 'ask', 'name', 'permit', 'receipt']).ok) return refused(id, 'receipt', 'a request has not its form');
  const { ask, name, permit: sent, receipt: signed } = value;
  if (id === 0 || ask !== 'read' || typeof name !== 'string') return refused(id, 'receipt', 'id, ask or name is not what it must be');
  const checked = checkRecorded({ permit: sent ?? null, receipt: signed ?? null }, { ...ports.facts(), agent });
  if (!checked.ok) return refused(id, 'receipt', checked.message);
  const { permit, receipt } = checked;
  const at = permit.plan.secrets?.indexOf(name) ?? -1;
  if (at < 0) return refused(id, 'receipt', 'this permit is not for a secret of that name');
  const decided = decideRead(vault.header()!, { name, agent }, ports.wallMs());
  if (!decided.ok) return refused(id, decided.rule, decided.why);
  if (!used.use(receipt.seq * MOST_SECRETS + at, receipt.notAfter)) return refused(id, 'receipt', 'this receipt has been used for that secret; every call needs its own');
  const written = await record('secret.used', { type: 'agent', id: agent }, { agent, name, host: null, port: null, call: permit.call, intent: receipt.seq, tool: permit.tool });
  if (!written.ok) return refused(id, 'receipt', `the reading could not be recorded, so there is none: ${written.error}`);
  return valueNow(id, vault, sources, () => decideRead(vault.header()!, { name, agent }, ports.wallMs()));
}
