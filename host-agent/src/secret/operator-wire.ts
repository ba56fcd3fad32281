// SPDX-License-Identifier: Apache-2.0
// What operators and holdfast-secretd say to each other over `paths.secretOperatorSocket`: one request on a connection, one line of JSON.
// A secret that belongs to it follows the line as that many bytes: what is parsed as JSON becomes a string, and no string can be wiped.
import type { AgentName } from '../identity/ids.ts';
import { parseAgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import type { SecretBinding } from './binding.ts';
import type { MachineKey } from './machine-key.ts';
import { parseHeaderText, type HeaderTemplate } from './header-template.ts';
import { parseHostPort, type HostPort } from './host.ts';
import { parseSecretName, type SecretName } from './name.ts';
import { isCacheTime, isIpv4Text, parseNamespace, parseOrigin, parseSourceName, parseSourceUrl, type SecretOrigin, type SourceName } from './source.ts';
import { ACCESS_LEVELS, isRotation, isTimeOrNull, parseAgents, SLOT_KINDS, type AccessLevel, type SlotKind } from './store-header.ts';

/** Of the bytes that follow. */
export const MOST_SECRET_BYTES = 16 * 1024;
/** Of the line. */
export const MOST_REQUEST_BYTES = 64 * 1024;
const MOST_GRACE_HOURS = 30 * 24;

/** Lists that are null stay as they are. Hosts are `name` or `name:port`, a header `NAME: TEMPLATE`. */
export type BindingWords = { readonly agents: readonly string[] | null; readonly forbid: readonly string[] | null; readonly hosts: readonly string[] | null; readonly header: string | null };
export type SecretRequest =
  | { readonly op: 'status' | 'list' | 'init' | 'unlock' | 'lock' | 'sources' }
  /** `rotateDays`, `graceHours`: null as the machine's settings have it. `from`: where its value comes from, as SOURCE:MOUNT/PATH#FIELD; then no bytes follow. */
  | ({ readonly op: 'set'; readonly name: string; readonly rotateDays: number | null; readonly expires: string | null; readonly from?: string } & BindingWords)
  /** Its token follows; as it does with `source-token`, and certificates with `source-ca`. */
  | { readonly op: 'source-add'; readonly name: string; readonly url: string; readonly namespace: string | null; readonly address: string | null; readonly cacheSeconds: number }
  | { readonly op: 'source-token' | 'source-ca' | 'source-remove'; readonly name: string }
  | { readonly op: 'rotate'; readonly name: string; readonly graceHours: number | null; readonly expires: string | null }
  | { readonly op: 'remove'; readonly name: string }
  | ({ readonly op: 'access'; readonly name: string } & BindingWords)
  | { readonly op: 'level'; readonly agent: string; readonly level: AccessLevel }
  /** `remove`: it opens nothing from then on. */
  | { readonly op: 'key'; readonly kind: SlotKind; readonly remove?: true };

export type ReadBinding = { readonly agents?: readonly AgentName[]; readonly forbid?: readonly AgentName[]; readonly hosts?: readonly HostPort[]; readonly header?: HeaderTemplate };
export type ReadRequest =
  | { readonly op: 'status' | 'list' | 'init' | 'unlock' | 'lock' | 'sources' }
  | { readonly op: 'set'; readonly name: SecretName; readonly rotateDays: number | null; readonly expires: string | null; readonly from?: SecretOrigin; readonly binding: ReadBinding }
  | { readonly op: 'source-add'; readonly name: SourceName; readonly host: string; readonly port: number; readonly namespace: string | null; readonly address: string | null; readonly cacheSeconds: number }
  | { readonly op: 'source-token' | 'source-ca' | 'source-remove'; readonly name: SourceName }
  | { readonly op: 'rotate'; readonly name: SecretName; readonly graceHours: number | null; readonly expires: string | null }
  | { readonly op: 'remove'; readonly name: SecretName }
  | { readonly op: 'access'; readonly name: SecretName; readonly binding: ReadBinding }
  | { readonly op: 'level'; readonly agent: AgentName; readonly level: AccessLevel }
  | { readonly op: 'key'; readonly kind: SlotKind; readonly remove: boolean };

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
  /** Where it comes from, whether it could come from a TPM, and why there is none. */
  readonly machineKey: MachineKey;
  /** Names of those that are older than they should be, and of those that have expired. */
  readonly old: readonly string[];
  readonly expired: readonly string[];
  /** Why the newest change is not on the disk. */
  readonly disk: string | null;
  /** Sources that do not give what they should, and why. */
  readonly sources: readonly { readonly name: string; readonly problem: string }[];
};
/** For who holds no role for secrets, `about` is null: names only. Never a token. */
export type SourceView = { readonly name: string; readonly about: SourceAbout | null };
export type SourceAbout = {
  readonly url: string;
  readonly namespace: string | null;
  readonly address: string | null;
  readonly ca: boolean;
  readonly cacheSeconds: number;
  readonly secrets: readonly string[];
  readonly setAt: string;
  readonly setBy: string;
  /** Seconds until its token ends; null where that is not known, or it never does. */
  readonly tokenSeconds: number | null;
  readonly renewable: boolean;
  readonly problem: string | null;
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
  /** SOURCE:MOUNT/PATH#FIELD, where its value is not kept here. */
  readonly from: string | null;
};
/** The code that opens the store when the passphrase is forgotten: told once, kept nowhere. */
export type MadeKeys = { readonly recovery: string | null; readonly credential: boolean; /** This machine's own key can be sealed, or is, to its TPM. */ readonly tpm: 'there' | 'sealed' | null };

export function parseSecretRequest(value: JsonValue): Result<ReadRequest> {
  if (!isObject(value)) return refuse('a request must be an object');
  const { op } = value;
  switch (op) {
    case 'status':
    case 'list':
    case 'init':
    case 'unlock':
    case 'lock':
    case 'sources':
      return fields(value, [], () => accept({ op }));
    case 'set':
      return fields(value, ['name', 'agents', 'forbid', 'hosts', 'header', 'rotateDays', 'expires', ...(Object.hasOwn(value, 'from') ? ['from'] : [])], () => {
        const { rotateDays, expires } = value;
        const from = Object.hasOwn(value, 'from') ? parseOrigin(String(value['from'])) : accept(null);
        if (!from.ok) return from;
        if (rotateDays !== null && !isRotation(rotateDays)) return refuse('the days until it should be rotated must be a whole number from 1 to 3650');
        if (!isTimeOrNull(expires)) return refuse('expires must be null or a time');
        return named(value, (name) => bound(value, (binding) => accept({ op, name, rotateDays, expires, binding, ...(from.value === null ? {} : { from: from.value }) })));
      });
    case 'rotate':
      return fields(value, ['name', 'graceHours', 'expires'], () => {
        const { graceHours, expires } = value;
        if (graceHours !== null && (typeof graceHours !== 'number' || !Number.isSafeInteger(graceHours) || graceHours < 0 || graceHours > MOST_GRACE_HOURS)) return refuse(`the grace of the old value must be 0 to ${MOST_GRACE_HOURS} hours`);
        if (!isTimeOrNull(expires)) return refuse('expires must be null or a time');
        return named(value, (name) => accept({ op, name, graceHours, expires }));
      });
    case 'remove':
      return fields(value, ['name'], () => named(value, (name) => accept({ op, name })));
    case 'access':
      return fields(value, ['name', 'agents', 'forbid', 'hosts', 'header'], () => named(value, (name) => bound(value, (binding) => accept({ op, name, binding }))));
    case 'source-add':
      return fields(value, ['name', 'url', 'namespace', 'address', 'cacheSeconds'], () => parseNewSource(value));
    case 'source-token':
    case 'source-ca':
    case 'source-remove':
      return fields(value, ['name'], () => {
        const name = parseSourceName(String(value['name']));
        return name.ok ? accept({ op, name: name.value }) : name;
      });
    case 'level':
      return fields(value, ['agent', 'level'], () => {
        const agent = parseAgentName(String(value['agent']));
        const level = ACCESS_LEVELS.find((known) => known === value['level']);
        if (!agent.ok) return agent;
        return level === undefined ? refuse(`the level of an agent is one of ${ACCESS_LEVELS.join(', ')}`) : accept({ op, agent: agent.value, level });
      });
    case 'key':
      return fields(value, ['kind', ...(Object.hasOwn(value, 'remove') ? ['remove'] : [])], () => {
        const kind = SLOT_KINDS.find((known) => known === value['kind']);
        if (kind === undefined) return refuse(`a key is one of ${SLOT_KINDS.join(', ')}`);
        const remove = value['remove'] === true;
        // Without the other two nobody could open it again.
        if (Object.hasOwn(value, 'remove') && (!remove || kind !== 'credential')) return refuse('only the credential can be removed; a passphrase and a recovery code are replaced');
        return accept({ op, kind, remove });
      });
    default:
      return refuse('op is not one that holdfast-secretd knows');
  }
}

function parseNewSource(value: JsonObject): Result<ReadRequest> {
  const { address, cacheSeconds } = value;
  const name = parseSourceName(String(value['name']));
  if (!name.ok) return name;
  const at = parseSourceUrl(String(value['url']));
  if (!at.ok) return at;
  const namespace = value['namespace'] === null ? accept(null) : parseNamespace(String(value['namespace']));
  if (!namespace.ok) return namespace;
  if (address !== null && (typeof address !== 'string' || !isIpv4Text(address))) return refuse('an address is four decimal numbers: 10.0.0.5');
  if (!isCacheTime(cacheSeconds)) return refuse('the time that values are kept must be 0 to 3600 seconds');
  return accept({ op: 'source-add', name: name.value, ...at.value, namespace: namespace.value, address, cacheSeconds });
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
