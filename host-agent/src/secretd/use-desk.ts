// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { checkNetPermit, type CheckedPermit, type NetFacts } from '../egress/check-net-permit.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from '../effects/json-lines.ts';
import type { Log } from '../effects/log.ts';
import { peerOf } from '../effects/peer.ts';
import type { UsedReceipts } from '../effects/used-receipts.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { decideUse } from '../secret/access.ts';
import { locked, refused, valueNow, writeValue, type Handed } from './handing-out.ts';
import type { Record } from './record.ts';
import type { SourceDesk } from './source-desk.ts';
import type { Vault } from './vault.ts';

export type UsePorts = {
  readonly vault: Vault;
  readonly record: Record;
  readonly sources: Pick<SourceDesk, 'valueFor'>;
  /** uid of holdfast-egress; null: there is none, and nobody is served. */
  readonly egressUid: number | null;
  /** Throws while the ledger has published no key. */
  readonly facts: () => NetFacts;
  readonly used: Pick<UsedReceipts, 'use'>;
  readonly wallMs: () => number;
  readonly log: Log;
};

type Use = { readonly id: number; readonly name: string; readonly checked: CheckedPermit };

const MOST_CONNECTIONS = 16;
/** A permit names at most so many; each may be had once. */
const MOST_SECRETS = 64;

/** One value for one recorded permit (R43, R49), to holdfast-egress alone. */
export function serveUses(server: Server, ports: UsePorts): void {
  server.maxConnections = MOST_CONNECTIONS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (ports.egressUid === null || uidOf(socket) !== ports.egressUid) {
      ports.log.warn({ uid: uidOf(socket) }, 'refused a connection that is not from holdfast-egress');
      return void socket.destroy();
    }
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      onValue: (value) => void answer(socket, value, ports),
      onViolation: (reason) => ports.log.warn({ reason }, 'closed a connection that does not speak the protocol'),
    });
  });
}

async function answer(socket: Socket, value: JsonValue, ports: UsePorts): Promise<void> {
  const id = isObject(value) && isCount(value['id']) ? value['id'] : 0;
  try {
    const handed = await handOut(id, value, ports);
    if (handed.ok) writeValue(socket, id, handed.value);
    else writeJsonLine(socket, handed);
  } catch (fault) {
    ports.log.error({ fault: fault instanceof Error ? fault.message : String(fault) }, 'a use was refused by a fault');
    writeJsonLine(socket, refused(id, 'receipt', 'a fault in holdfast-secretd stopped this; its journal says more'));
  }
}

async function handOut(id: number, value: JsonValue, ports: UsePorts): Promise<Handed> {
  const { vault, used, record, sources } = ports;
  if (vault.state() !== 'open') return locked(id, vault);
  const asked = parseAsk(id, value, ports.facts());
  if (!asked.ok) return refused(id, 'receipt', asked.error);
  const { name, checked: { permit, receipt } } = asked.value;
  const at = permit.secrets.indexOf(name);
  if (at < 0) return refused(id, 'receipt', 'this permit is not for a secret of that name');
  const decided = decideUse(vault.header()!, { name, ...permit }, ports.wallMs());
  if (!decided.ok) return refused(id, decided.rule, decided.why);
  // Each name of a receipt has a number of its own among those that were used.
  if (!used.use(receipt.seq * MOST_SECRETS + at, receipt.notAfter)) return refused(id, 'receipt', 'this receipt has been used for that secret; every request needs its own');
  const { agent, host, port, call } = permit;
  const written = await record('secret.used', { type: 'agent', id: agent }, { agent, name, host, port, call, intent: receipt.seq });
  if (!written.ok) return refused(id, 'receipt', `the use could not be recorded, so there is none: ${written.error}`);
  return valueNow(id, vault, sources, () => decideUse(vault.header()!, { name, ...permit }, ports.wallMs()));
}

function parseAsk(id: number, value: JsonValue, facts: NetFacts): Result<Use> {
  if (!isObject(value)) return refuse('a request must be an object');
  const fields = checkFields(value, ['id', 'ask', 'name', 'permit', 'receipt']);
  if (!fields.ok) return fields;
  const { ask, name, permit, receipt } = value;
  if (id === 0 || ask !== 'use' || typeof name !== 'string') return refuse('id, ask or name is not what it must be');
  const checked = checkNetPermit({ permit: permit ?? null, receipt: receipt ?? null }, facts);
  if (!checked.ok) return checked;
  return checked.value.permit.secrets.length > MOST_SECRETS ? refuse('the permit names too many secrets') : accept({ id, name, checked: checked.value });
}

function uidOf(socket: Socket): number | null {
  try {
    return peerOf(socket).uid;
  } catch {
    return null;
  }
}
