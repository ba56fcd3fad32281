// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { HeaderTemplate } from './header-template.ts';
import type { HostPort } from './host.ts';
import type { KeyFamily } from './key-family.ts';
import type { SecretName } from './name.ts';
import { MOST_SOURCES, showOrigin, type SecretOrigin, type SecretSource, type SourceName } from './source.ts';
import { MOST_SECRETS, type AccessLevel, type KeySlot, type SecretRecord, type SlotKind, type StoreHeader } from './store-header.ts';

// Each change makes the header of the next generation. None of them sees a value.

export type Binding = { readonly agents: readonly AgentName[]; readonly forbid: readonly AgentName[]; readonly hosts: readonly HostPort[]; readonly header: HeaderTemplate };
export type NewSecret = Binding & { readonly name: SecretName; readonly family: KeyFamily; readonly rotateDays: number; readonly expires: string | null; readonly from?: SecretOrigin };
export type NewSource = Omit<SecretSource, 'setAt' | 'setBy'>;
/** Who does it, and when by the wall clock: both are for people. */
export type Author = { readonly by: string; readonly wallMs: number };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function addSecret(store: StoreHeader, { name, family, rotateDays, expires, from, ...binding }: NewSecret, { by, wallMs }: Author): Result<StoreHeader> {
  if (find(store, name) !== undefined) return refuse(`there is a secret ${name} already; \`holdfast secret rotate ${name}\` gives it a new value, \`holdfast secret access ${name}\` changes who may use it`);
  if (store.secrets.length >= MOST_SECRETS) return refuse(`there are ${MOST_SECRETS} secrets, and no more fit; remove one`);
  const problem = bindingProblem(binding);
  if (problem !== null) return refuse(problem);
  if (from !== undefined && findSource(store, from.source) === undefined) return noSource(from.source);
  const secret: SecretRecord = { name, family, ...tidy(binding), setAt: iso(wallMs), setBy: by, rotateDays, expires, oldUntil: null, ...(from === undefined ? {} : { from }) };
  return accept(next(store, { secrets: [...store.secrets, secret].toSorted(byName) }));
}

/** From the moment that this is written the new value is the only one that is handed out; the old one is known as a secret until its grace ends. */
export function rotateSecret(store: StoreHeader, name: SecretName, graceHours: number, expires: string | null, { by, wallMs }: Author): Result<StoreHeader> {
  const from = find(store, name)?.from;
  if (from !== undefined) return refuse(`${name} comes from ${showOrigin(from)}; put the new value there, and within the time that values of ${from.source} are kept here every request gets it`);
  return changed(store, name, (secret) => accept({ ...secret, setAt: iso(wallMs), setBy: by, expires, oldUntil: graceHours === 0 ? null : iso(wallMs + graceHours * HOUR_MS) }));
}

export function removeSecret(store: StoreHeader, name: SecretName): Result<StoreHeader> {
  if (find(store, name) === undefined) return noSuch(name);
  return accept(next(store, { secrets: store.secrets.filter((secret) => secret.name !== name) }));
}

/** What is not given stays. */
export function bindSecret(store: StoreHeader, name: SecretName, binding: Partial<Binding>): Result<StoreHeader> {
  return changed(store, name, (secret) => {
    const bound = { ...secret, ...tidy({ ...secret, ...binding }) };
    const problem = bindingProblem(bound);
    return problem === null ? accept(bound) : refuse(problem);
  });
}

export function addSource(store: StoreHeader, source: NewSource, { by, wallMs }: Author): Result<StoreHeader> {
  const sources = store.sources ?? [];
  if (findSource(store, source.name) !== undefined) return refuse(`there is a source ${source.name} already; \`holdfast secret source token ${source.name}\` gives it a new token`);
  if (sources.length >= MOST_SOURCES) return refuse(`there are ${MOST_SOURCES} sources, and no more fit; remove one`);
  return accept(next(store, { sources: [...sources, { ...source, setAt: iso(wallMs), setBy: by }].toSorted(byName) }));
}

/** Of a new token, or of other certificates. */
export function changeSource(store: StoreHeader, name: SourceName, change: Partial<Pick<SecretSource, 'ca'>>, { by, wallMs }: Author): Result<StoreHeader> {
  if (findSource(store, name) === undefined) return noSource(name);
  return accept(next(store, { sources: (store.sources ?? []).map((source) => (source.name === name ? { ...source, ...change, setAt: iso(wallMs), setBy: by } : source)) }));
}

export function removeSource(store: StoreHeader, name: SourceName): Result<StoreHeader> {
  if (findSource(store, name) === undefined) return noSource(name);
  const used = store.secrets.filter(({ from }) => from?.source === name).map((secret) => secret.name);
  if (used.length > 0) return refuse(`these secrets come from ${name}: ${used.join(', ')}; remove them first`);
  const sources = (store.sources ?? []).filter((source) => source.name !== name);
  const { sources: _, ...rest } = next(store, {});
  return accept(sources.length === 0 ? rest : { ...rest, sources });
}

export function setLevel(store: StoreHeader, agent: AgentName, level: AccessLevel): StoreHeader {
  const others = store.levels.filter((said) => said.agent !== agent);
  const levels = level === 'scoped' ? others : [...others, { agent, level }].toSorted((a, b) => (a.agent < b.agent ? -1 : 1));
  return next(store, { levels });
}

/** In the place of the slots of its kind: a passphrase that was changed opens nothing any more. */
export function setSlot(store: StoreHeader, slot: KeySlot): StoreHeader {
  return next(store, { slots: [...store.slots.filter(({ kind }) => kind !== slot.kind), slot] });
}

/** Nothing of that kind opens it any more. */
export function removeSlots(store: StoreHeader, gone: SlotKind): Result<StoreHeader> {
  const slots = store.slots.filter(({ kind }) => kind !== gone);
  return slots.length === store.slots.length ? refuse(`no ${gone} opens the store`) : accept(next(store, { slots }));
}

/** Null when no old value's grace has ended. */
export function endGrace(store: StoreHeader, wallMs: number): StoreHeader | null {
  const over = (secret: SecretRecord): boolean => secret.oldUntil !== null && Date.parse(secret.oldUntil) <= wallMs;
  if (!store.secrets.some(over)) return null;
  return next(store, { secrets: store.secrets.map((secret) => (over(secret) ? { ...secret, oldUntil: null } : secret)) });
}

export function ageDays(secret: Pick<SecretRecord, 'setAt'>, wallMs: number): number {
  return Math.max(0, Math.floor((wallMs - Date.parse(secret.setAt)) / DAY_MS));
}

function bindingProblem({ agents, forbid, hosts }: Binding): string | null {
  if (hosts.length === 0) return 'a secret must be bound to a host; give --host';
  const both = agents.find((agent) => forbid.includes(agent));
  return both === undefined ? null : `${both} is both allowed and forbidden`;
}

function tidy({ agents, forbid, hosts, header }: Binding): Binding {
  const key = ({ host, port }: HostPort): string => `${host}:${port}`;
  const known = new Map(hosts.map((at) => [key(at), at]));
  return { agents: [...new Set(agents)].toSorted(), forbid: [...new Set(forbid)].toSorted(), hosts: [...known.keys()].toSorted().map((at) => known.get(at)!), header };
}

function changed(store: StoreHeader, name: SecretName, change: (secret: SecretRecord) => Result<SecretRecord>): Result<StoreHeader> {
  const secret = find(store, name);
  if (secret === undefined) return noSuch(name);
  const made = change(secret);
  if (!made.ok) return made;
  return accept(next(store, { secrets: store.secrets.map((known) => (known.name === name ? made.value : known)) }));
}

function noSuch(name: SecretName): { readonly ok: false; readonly error: string } {
  return refuse(`there is no secret ${name}; see: holdfast secret list`);
}

function noSource(name: SourceName): { readonly ok: false; readonly error: string } {
  return refuse(`there is no source ${name}; see: holdfast secret source list`);
}

function findSource(store: StoreHeader, name: SourceName): SecretSource | undefined {
  return store.sources?.find((source) => source.name === name);
}

function next(store: StoreHeader, change: Partial<StoreHeader>): StoreHeader {
  return { ...store, ...change, generation: store.generation + 1 };
}

function find(store: StoreHeader, name: SecretName): SecretRecord | undefined {
  return store.secrets.find((secret) => secret.name === name);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function iso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
