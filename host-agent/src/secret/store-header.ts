// SPDX-License-Identifier: Apache-2.0
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject, isTime } from '../ledger/shape.ts';
import { parseHeaderTemplate, type HeaderTemplate } from './header-template.ts';
import { parseHostPort, type HostPort } from './host.ts';
import { parseDerivation, type Derivation } from './key-derivation.ts';
import { KEY_FAMILIES, type KeyFamily } from './key-family.ts';
import { parseSecretName, type SecretName } from './name.ts';
import { isCacheTime, isIpv4Text, MOST_SOURCES, parseCa, parseNamespace, parseOriginParts, parseSourceName, tokenOf, type SecretOrigin, type SecretSource } from './source.ts';

export const SLOT_KINDS = ['passphrase', 'recovery', 'credential'] as const;
export type SlotKind = (typeof SLOT_KINDS)[number];
/** One way to the master key. `wrapped`: nonce, ciphertext and tag in base64. */
export type KeySlot = { readonly kind: SlotKind; readonly argon2id: Derivation; readonly wrapped: string };

export const ACCESS_LEVELS = ['none', 'scoped', 'full'] as const;
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

/** All that is kept of a secret beside its value. Times are RFC 3339 in UTC. */
export type SecretRecord = {
  readonly name: SecretName;
  readonly family: KeyFamily;
  readonly agents: readonly AgentName[];
  /** Wins over `agents` and over an agent's level. */
  readonly forbid: readonly AgentName[];
  readonly hosts: readonly HostPort[];
  readonly header: HeaderTemplate;
  readonly setAt: string;
  readonly setBy: string;
  readonly rotateDays: number;
  readonly expires: string | null;
  /** Until when the value before this one is kept; null when there is none. */
  readonly oldUntil: string | null;
  /** Where its value is read when it is used; without it, its value is kept here. */
  readonly from?: SecretOrigin;
};

export type StoreHeader = {
  readonly v: 1;
  /** Random; makes the placeholders of this store its own. */
  readonly id: string;
  /** One more with each change. An old file put in the place of a newer one is whole and opens: the ledger names the newest number. */
  readonly generation: number;
  readonly slots: readonly KeySlot[];
  readonly levels: readonly { readonly agent: AgentName; readonly level: AccessLevel }[];
  readonly secrets: readonly SecretRecord[];
  /** Not there where there is none: a store without sources is what it was before there were any. */
  readonly sources?: readonly SecretSource[];
};

/** What is sealed, in this order: the values of secrets that are kept here, then the token of each source. */
export function sealedOf({ secrets, sources = [] }: StoreHeader): readonly { readonly key: string; readonly hasOld: boolean }[] {
  const kept = secrets.filter(({ from }) => from === undefined).map(({ name, oldUntil }) => ({ key: name as string, hasOld: oldUntil !== null }));
  return [...kept, ...sources.map(({ name }) => ({ key: tokenOf(name), hasOld: false }))];
}

/** Each with the value before it is two keys of the kernel's, of which the image lets one uid have 512; tokens of sources are eight more. */
export const MOST_SECRETS = 240;
const MOST_AGENTS = 64;
const MOST_HOSTS = 32;
const MOST_SLOTS = 8;
const MOST_DAYS = 3650;
const ID = /^[0-9a-f]{32}$/;
const WRAPPED = /^[A-Za-z0-9+/]{80}$/;
const SECRET_FIELDS = ['name', 'family', 'agents', 'forbid', 'hosts', 'header', 'setAt', 'setBy', 'rotateDays', 'expires', 'oldUntil'];

export function parseStoreHeader(value: JsonValue): Result<StoreHeader> {
  if (!isObject(value)) return refuse('the header must be an object');
  // First of all: of another version, other fields are no damage.
  if (value['v'] !== 1) return refuse('the header is not of version 1; a newer Holdfast may have written it');
  const fields = checkFields(value, ['v', 'id', 'generation', 'slots', 'levels', 'secrets', ...(Object.hasOwn(value, 'sources') ? ['sources'] : [])]);
  if (!fields.ok) return fields;
  const { id, generation } = value;
  if (typeof id !== 'string' || !ID.test(id)) return refuse('id must be 32 hex digits');
  if (!isCount(generation)) return refuse('generation must be a positive integer');
  const slots = parseList(value['slots'], 'slots', MOST_SLOTS, parseSlot);
  if (!slots.ok) return slots;
  if (slots.value.length === 0) return refuse('there is no key slot');
  const levels = parseList(value['levels'], 'levels', MOST_AGENTS, parseLevel);
  if (!levels.ok) return levels;
  const secrets = parseList(value['secrets'], 'secrets', MOST_SECRETS, parseSecret);
  if (!secrets.ok) return secrets;
  const sources = Object.hasOwn(value, 'sources') ? parseList(value['sources'], 'sources', MOST_SOURCES, parseSource) : null;
  if (sources?.ok === false) return sources;
  if (sources !== null && (sources.value.length === 0 || !isSorted(sources.value.map(({ name }) => name)))) return refuse('sources must be sorted, each there once, and not be there when there is none');
  const unknown = secrets.value.find(({ from }) => from !== undefined && !(sources?.value ?? []).some(({ name }) => name === from.source));
  if (unknown !== undefined) return refuse(`${unknown.name} comes from a source that there is not`);
  if (!isSorted(levels.value.map(({ agent }) => agent)) || !isSorted(secrets.value.map(({ name }) => name))) return refuse('names must be sorted, each there once');
  return accept({ v: 1, id, generation, slots: slots.value, levels: levels.value, secrets: secrets.value, ...(sources === null ? {} : { sources: sources.value }) });
}

function parseSlot(value: JsonObject): Result<KeySlot> {
  const fields = checkFields(value, ['kind', 'argon2id', 'wrapped']);
  if (!fields.ok) return fields;
  const kind = SLOT_KINDS.find((known) => known === value['kind']);
  if (kind === undefined) return refuse('a slot of a kind that is not known');
  const argon2id = parseDerivation(value['argon2id']);
  if (!argon2id.ok) return argon2id;
  const { wrapped } = value;
  if (typeof wrapped !== 'string' || !WRAPPED.test(wrapped)) return refuse('wrapped must be 60 bytes in base64');
  return accept({ kind, argon2id: argon2id.value, wrapped });
}

function parseLevel(value: JsonObject): Result<StoreHeader['levels'][number]> {
  const fields = checkFields(value, ['agent', 'level']);
  if (!fields.ok) return fields;
  const agent = parseAgent(value['agent']);
  const level = ACCESS_LEVELS.find((known) => known === value['level']);
  if (!agent.ok) return agent;
  return level === undefined ? refuse('a level that is not known') : accept({ agent: agent.value, level });
}

function parseSecret(value: JsonObject): Result<SecretRecord> {
  const fields = checkFields(value, Object.hasOwn(value, 'from') ? [...SECRET_FIELDS, 'from'] : SECRET_FIELDS);
  if (!fields.ok) return fields;
  const { setAt, setBy, rotateDays, expires, oldUntil } = value;
  const name = parseSecretName(String(value['name']));
  if (!name.ok) return name;
  const family = KEY_FAMILIES.find((known) => known === value['family']);
  if (family === undefined) return refuse('a family of keys that is not known');
  const agents = parseAgents(value['agents']);
  if (!agents.ok) return agents;
  const forbid = parseAgents(value['forbid']);
  if (!forbid.ok) return forbid;
  const hosts = parseList(value['hosts'], 'hosts', MOST_HOSTS, parseHost);
  if (!hosts.ok) return hosts;
  const header = parseHeader(value['header']);
  if (!header.ok) return header;
  if (!isTime(setAt)) return refuse('setAt must be a time');
  if (typeof setBy !== 'string' || setBy.length > 64) return refuse('setBy must be a name');
  if (!isRotation(rotateDays)) return refuse(`rotateDays must be 1 to ${MOST_DAYS}`);
  if (!isTimeOrNull(expires) || !isTimeOrNull(oldUntil)) return refuse('expires and oldUntil must be null or a time');
  const from = Object.hasOwn(value, 'from') ? parseFrom(value['from']) : null;
  if (from?.ok === false) return from;
  if (from !== null && oldUntil !== null) return refuse('what comes from a source has no old value here');
  const record = { name: name.value, family, agents: agents.value, forbid: forbid.value, hosts: hosts.value, header: header.value, setAt, setBy, rotateDays, expires, oldUntil };
  return accept(from === null ? record : { ...record, from: from.value });
}

function parseFrom(value: JsonValue | undefined): Result<SecretOrigin> {
  if (!isObject(value)) return refuse('from must be an object');
  const fields = checkFields(value, ['source', 'mount', 'path', 'field']);
  if (!fields.ok) return fields;
  const { source, mount, path, field } = value;
  return parseOriginParts({ source: String(source), mount: String(mount), path: String(path), field: String(field) });
}

function parseSource(value: JsonObject): Result<SecretSource> {
  const fields = checkFields(value, ['name', 'kind', 'host', 'port', 'namespace', 'address', 'ca', 'cacheSeconds', 'setAt', 'setBy']);
  if (!fields.ok) return fields;
  const { kind, namespace, address, ca, cacheSeconds, setAt, setBy } = value;
  const name = parseSourceName(String(value['name']));
  if (!name.ok) return name;
  if (kind !== 'vault') return refuse('a source of a kind that is not known');
  const at = parseHost({ host: value['host'] ?? null, port: value['port'] ?? null });
  if (!at.ok) return at;
  if (namespace !== null && (typeof namespace !== 'string' || !parseNamespace(namespace).ok)) return refuse('a namespace that is none');
  if (address !== null && (typeof address !== 'string' || !isIpv4Text(address))) return refuse('an address that is none');
  if (ca !== null && (typeof ca !== 'string' || !parseCa(ca).ok)) return refuse('certificates that are none');
  if (!isCacheTime(cacheSeconds)) return refuse('cacheSeconds is out of its bounds');
  if (!isTime(setAt) || typeof setBy !== 'string' || setBy.length > 64) return refuse('setAt and setBy must be a time and a name');
  return accept({ name: name.value, kind, ...at.value, namespace, address, ca, cacheSeconds, setAt, setBy });
}

export function isRotation(days: JsonValue | undefined): days is number {
  return isCount(days) && days <= MOST_DAYS;
}

export function isTimeOrNull(value: JsonValue | undefined): value is string | null {
  return value === null || isTime(value);
}

export function parseAgents(value: JsonValue | undefined): Result<readonly AgentName[]> {
  if (!Array.isArray(value) || value.length > MOST_AGENTS) return refuse(`agents must be a list of at most ${MOST_AGENTS}`);
  const agents: AgentName[] = [];
  for (const item of value as readonly JsonValue[]) {
    const agent = parseAgent(item);
    if (!agent.ok) return agent;
    agents.push(agent.value);
  }
  return accept(agents);
}

function parseAgent(value: JsonValue | undefined): Result<AgentName> {
  return typeof value === 'string' ? parseAgentName(value) : refuse('the name of an agent must be text');
}

function parseHost(value: JsonObject): Result<HostPort> {
  const fields = checkFields(value, ['host', 'port']);
  if (!fields.ok) return fields;
  return parseHostPort(`${String(value['host'])}:${String(value['port'])}`);
}

function parseHeader(value: JsonValue | undefined): Result<HeaderTemplate> {
  if (!isObject(value)) return refuse('header must be an object');
  const fields = checkFields(value, ['name', 'template']);
  if (!fields.ok) return fields;
  return parseHeaderTemplate({ name: String(value['name']), template: String(value['template']) });
}

function parseList<T>(value: JsonValue | undefined, what: string, most: number, parse: (item: JsonObject) => Result<T>): Result<readonly T[]> {
  if (!Array.isArray(value) || value.length > most) return refuse(`${what} must be a list of at most ${most}`);
  const items: T[] = [];
  for (const item of value as readonly JsonValue[]) {
    const read = isObject(item) ? parse(item) : refuse('it must be an object');
    if (!read.ok) return refuse(`${what}: ${read.error}`);
    items.push(read.value);
  }
  return accept(items);
}

function isSorted(names: readonly string[]): boolean {
  return names.every((name, at) => at === 0 || names[at - 1]! < name);
}
