// SPDX-License-Identifier: Apache-2.0
// What operators and holdfast-secretd say to each other over `paths.secretOperatorSocket`: one request on a connection, one line of JSON.
// A secret that belongs to it follows the line as that many bytes: what is parsed as JSON becomes a string, and no string can be wiped.
import type { AgentName } from '../identity/ids.ts';
import { parseAgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import type { SecretBinding } from './binding.ts';
import { parseHeaderText, type HeaderTemplate } from './header-template.ts';
import { parseHostPort, type HostPort } from './host.ts';
import { parseSecretName, type SecretName } from './name.ts';
import { ACCESS_LEVELS, isRotation, isTimeOrNull, parseAgents, SLOT_KINDS, type AccessLevel, type SlotKind } from './store-header.ts';

/** Of the bytes that follow. */
export const MOST_SECRET_BYTES = 16 * 1024;
/** Of the line. */
export const MOST_REQUEST_BYTES = 64 * 1024;
const MOST_GRACE_HOURS = 30 * 24;

/** Lists that are null stay as they are. Hosts are `name` or `name:port`, a header `NAME: TEMPLATE`. */
export type BindingWords = { readonly agents: readonly string[] | null; readonly forbid: readonly string[] | null; readonly hosts: readonly string[] | null; readonly header: string | null };
export type SecretRequest =
  | { readonly op: 'status' | 'list' | 'init' | 'unlock' | 'lock' }
  | ({ readonly op: 'set'; readonly name: string; readonly rotateDays: number; readonly expires: string | null } & BindingWords)
  | { readonly op: 'rotate'; readonly name: string; readonly graceHours: number; readonly expires: string | null }
  | { readonly op: 'remove'; readonly name: string }
  | ({ readonly op: 'access'; readonly name: string } & BindingWords)
  | { readonly op: 'level'; readonly agent: string; readonly level: AccessLevel }
  | { readonly op: 'key'; readonly kind: SlotKind };

export type ReadBinding = { readonly agents?: readonly AgentName[]; readonly forbid?: readonly AgentName[]; readonly hosts?: readonly HostPort[]; readonly header?: HeaderTemplate };
export type ReadRequest =
  | { readonly op: 'status' | 'list' | 'init' | 'unlock' | 'lock' }
  | { readonly op: 'set'; readonly name: SecretName; readonly rotateDays: number; readonly expires: string | null; readonly binding: ReadBinding }
  | { readonly op: 'rotate'; readonly name: SecretName; readonly graceHours: number; readonly expires: string | null }
  | { readonly op: 'remove'; readonly name: SecretName }
  | { readonly op: 'access'; readonly name: SecretName; readonly binding: ReadBinding }
  | { readonly op: 'level'; readonly agent: AgentName; readonly level: AccessLevel }
  | { readonly op: 'key'; readonly kind: SlotKind };

/** `disk`: null where it is as it should be, else why the machine does not have this change on its disk yet. */
export type SecretReply<T> = { readonly ok: true; readonly value: T; readonly disk: string | null } | { readonly ok: false; readonly error: string };

export type SecretsState = 'absent' | 'locked' | 'open' | 'damaged';
export type SecretsStatus = {
  readonly state: SecretsState;
  /** Why it is not open, where there is more to say. */
  readonly problem: string | null;
  readonly generation: number | null;
  readonly secrets: number;
  /** Which keys open it. */
  readonly slots: readonly SlotKind[];
  /** A key of this machine's own was passed by systemd. */
  readonly credential: boolean;
  /** Names of those that are older than they should be, and of those that have expired. */
  readonly old: readonly string[];
  readonly expired: readonly string[];
  /** Why the newest change is not on the disk. */
  readonly disk: string | null;
};
/** For who holds no role for secrets, `binding` is null: names only (D09). */
export type SecretView = { readonly name: string; readonly binding: SecretBindingView | null };
export type SecretBindingView = SecretBinding & {
  readonly forbid: readonly string[];
  readonly setAt: string;
  readonly setBy: string;
  readonly ageDays: number;
  readonly rotateDays: number;
  readonly expires: string | null;
  readonly oldUntil: string | null;
};
/** The code that opens the store when the passphrase is forgotten: told once, kept nowhere. */
export type MadeKeys = { readonly recovery: string | null; readonly credential: boolean };

export function parseSecretRequest(value: JsonValue): Result<ReadRequest> {
  if (!isObject(value)) return refuse('a request must be an object');
  const { op } = value;
  switch (op) {
    case 'status':
    case 'list':
    case 'init':
    case 'unlock':
    case 'lock':
      return fields(value, [], () => accept({ op }));
    case 'set':
      return fields(value, ['name', 'agents', 'forbid', 'hosts', 'header', 'rotateDays', 'expires'], () => {
        const { rotateDays, expires } = value;
        if (!isRotation(rotateDays)) return refuse('the days until it should be rotated must be a whole number from 1 to 3650');
        if (!isTimeOrNull(expires)) return refuse('expires must be null or a time');
        return named(value, (name) => bound(value, (binding) => accept({ op, name, rotateDays, expires, binding })));
      });
    case 'rotate':
      return fields(value, ['name', 'graceHours', 'expires'], () => {
        const { graceHours, expires } = value;
        if (typeof graceHours !== 'number' || !Number.isSafeInteger(graceHours) || graceHours < 0 || graceHours > MOST_GRACE_HOURS) return refuse(`the grace of the old value must be 0 to ${MOST_GRACE_HOURS} hours`);
        if (!isTimeOrNull(expires)) return refuse('expires must be null or a time');
        return named(value, (name) => accept({ op, name, graceHours, expires }));
      });
    case 'remove':
      return fields(value, ['name'], () => named(value, (name) => accept({ op, name })));
    case 'access':
      return fields(value, ['name', 'agents', 'forbid', 'hosts', 'header'], () => named(value, (name) => bound(value, (binding) => accept({ op, name, binding }))));
    case 'level':
      return fields(value, ['agent', 'level'], () => {
        const agent = parseAgentName(String(value['agent']));
        const level = ACCESS_LEVELS.find((known) => known === value['level']);
        if (!agent.ok) return agent;
        return level === undefined ? refuse(`the level of an agent is one of ${ACCESS_LEVELS.join(', ')}`) : accept({ op, agent: agent.value, level });
      });
    case 'key':
      return fields(value, ['kind'], () => {
        const kind = SLOT_KINDS.find((known) => known === value['kind']);
        return kind === undefined ? refuse(`a key is one of ${SLOT_KINDS.join(', ')}`) : accept({ op, kind });
      });
    default:
      return refuse('op is not one that holdfast-secretd knows');
  }
}

function fields(value: JsonObject, names: readonly string[], read: () => Result<ReadRequest>): Result<ReadRequest> {
  const checked = checkFields(value, ['op', ...names]);
  return checked.ok ? read() : checked;
}

function named(value: JsonObject, read: (name: SecretName) => Result<ReadRequest>): Result<ReadRequest> {
  const name = parseSecretName(String(value['name']));
  return name.ok ? read(name.value) : name;
}

function bound(value: JsonObject, read: (binding: ReadBinding) => Result<ReadRequest>): Result<ReadRequest> {
  const agents = value['agents'] === null ? null : parseAgents(value['agents']);
  if (agents?.ok === false) return agents;
  const forbid = value['forbid'] === null ? null : parseAgents(value['forbid']);
  if (forbid?.ok === false) return forbid;
  const hosts = value['hosts'] === null ? null : parseHosts(value['hosts']);
  if (hosts?.ok === false) return hosts;
  const header = value['header'] === null ? null : parseHeaderText(String(value['header']));
  if (header?.ok === false) return header;
  return read({
    ...(agents === null ? {} : { agents: agents.value }),
    ...(forbid === null ? {} : { forbid: forbid.value }),
    ...(hosts === null ? {} : { hosts: hosts.value }),
    ...(header === null ? {} : { header: header.value }),
  });
}

function parseHosts(value: JsonValue | undefined): Result<readonly HostPort[]> {
  if (!Array.isArray(value) || value.length > 32) return refuse('hosts must be a list of at most 32');
  const hosts: HostPort[] = [];
  for (const item of value as readonly JsonValue[]) {
    const host = parseHostPort(String(item));
    if (!host.ok) return host;
    hosts.push(host.value);
  }
  return accept(hosts);
}
