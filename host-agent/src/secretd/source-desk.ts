// SPDX-License-Identifier: Apache-2.0
import type { ProcessKeyring } from '../effects/process-keyring.ts';
import type { AskSource, SourceQuestion } from '../effects/source-http.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { usableUntil } from '../secret/lease.ts';
import { kvPath, showOrigin, tokenOf, type SecretOrigin, type SecretSource } from '../secret/source.ts';
import { readKvAnswer, type HttpAnswer, type KvRead } from '../secret/source-answer.ts';
import type { SecretRecord, StoreHeader } from '../secret/store-header.ts';
import { wipe } from '../secret/values.ts';
import { SELF, type Record } from './record.ts';
import { sourceTokens, type SourceTokens, type TokenState } from './source-tokens.ts';
import type { Vault } from './vault.ts';

export type SourceDeskPorts = {
  readonly vault: Pick<Vault, 'state' | 'header' | 'valueOf'>;
  readonly keyring: ProcessKeyring;
  readonly ask: AskSource;
  readonly record: Record;
  readonly bootMs: () => number;
  readonly wallMs: () => number;
  /** What is known as a secret has changed. */
  readonly onKnown: () => void;
};

/** Values that are not kept here: read when they are used, and used no longer than their source lets them be. */
export type SourceDesk = {
  /** For a use; the caller wipes it. */
  readonly valueFor: (secret: SecretRecord) => Promise<Result<Buffer>>;
  /** Reads it once, before an operator's word about it is taken; the caller wipes it. */
  readonly tryOut: (name: string, from: SecretOrigin) => Promise<Result<Buffer>>;
  readonly stateOf: (source: SecretSource) => TokenState;
  /** All that was read and is still to be removed from texts; the caller wipes them. */
  readonly everything: () => readonly { readonly name: string; readonly value: Buffer }[];
  /** The store was opened, closed or changed. */
  readonly follow: () => void;
  /** What is no secret any more is forgotten. */
  readonly sweep: () => void;
};

/** A value in the keyring. `until`: as long as it may be used again; `forgetAt`: as long as it is removed from texts. */
type Kept = { readonly serial: number; readonly from: string; readonly until: number; readonly forgetAt: number };
/** What a read gave. `endsAt`: its lease, whatever the cache is. */
type Fetched = { readonly serial: number; readonly endsAt: number };

/** Below what holdfast-egress waits for a value. */
const READ_MS = 6_000;
/** Who asks again at once gets the same answer: a source that is away is not asked at the pace of an agent. */
const FAILED_MS = 3_000;
/** As after a rotation of a value that is kept here. */
const KNOWN_MS = 24 * 3_600_000;

export function openSourceDesk(ports: SourceDeskPorts): SourceDesk {
  const { vault, keyring, ask, record, bootMs, wallMs } = ports;
  const current = new Map<string, Kept>();
  const past = new Map<string, Kept>();
  const failed = new Map<string, { readonly until: number; readonly from: string; readonly why: string }>();
  const reading = new Map<string, Promise<Result<Fetched>>>();
  /** By source, what its token and place were when what is kept of it was read. */
  let stamps = new Map<string, string>();
  const tokens: SourceTokens = sourceTokens({ ask: askWithToken, bootMs });

  async function askWithToken(source: SecretSource, question: SourceQuestion, withinMs: number): Promise<Result<HttpAnswer>> {
    const token = vault.valueOf(tokenOf(source.name));
    return token === null ? refuse('secrets are locked') : ask(source, question, token, AbortSignal.timeout(Math.max(1, withinMs)));
  }

  async function valueFor({ name, from }: SecretRecord): Promise<Result<Buffer>> {
    if (from === undefined) throw new Error('this secret is kept here');
    const known = current.get(name);
    if (known !== undefined && known.from === showOrigin(from) && known.until > bootMs()) return accept(keyring.read(known.serial));
    const refused = failed.get(name);
    if (refused !== undefined && refused.from === showOrigin(from) && refused.until > bootMs()) return refuse(refused.why);
    const fetched = await readOnce(name, from);
    if (!fetched.ok) return fetched;
    // Locked, or removed, while it was read.
    const now = vault.header()?.secrets.find((secret) => secret.name === name)?.from;
    if (vault.state() !== 'open' || now === undefined || showOrigin(now) !== showOrigin(from)) return refuse('this secret was changed while it was read');
    return handedOut(from, fetched.value);
  }

  /** Of several who want it at one time, one asks. */
  function readOnce(name: string, from: SecretOrigin): Promise<Result<Fetched>> {
    const key = `${name} ${showOrigin(from)}`;
    const under = reading.get(key);
    if (under !== undefined) return under;
    const begun = fetch(name, from).then(
      (result) => {
        if (!result.ok) failed.set(name, { until: bootMs() + FAILED_MS, from: showOrigin(from), why: result.error });
        else failed.delete(name);
        return result;
      },
    ).finally(() => reading.delete(key));
    reading.set(key, begun);
    return begun;
  }

  async function fetch(name: string, from: SecretOrigin): Promise<Result<Fetched>> {
    const source = sourceOf(vault.header(), from);
    if (vault.state() !== 'open' || source === undefined) return refuse('secrets are locked');
    const recorded = await record('secret.read', SELF, { name, source: source.name, host: source.host, port: source.port });
    if (!recorded.ok) return refuse(`the reading could not be recorded, so there is none: ${recorded.error}`);
    const askedAt = bootMs();
    const lease = await tokens.leaseOf(source, READ_MS);
    const read = lease.ok ? await readValue(source, from, READ_MS - (bootMs() - askedAt)) : lease;
    if (!read.ok || !lease.ok) {
      const why = `the source ${source.name} does not give it: ${read.ok ? '' : read.error}`;
      await record('secret.read', SELF, { name, source: source.name, host: source.host, port: source.port, why: why.slice(0, 300) });
      return refuse(why);
    }
    const { value, leaseMs, deletedInMs } = read.value;
    try {
      const bounds = { leaseMs, deletedInMs, tokenEndsAt: lease.value.endsAt };
      const endsAt = usableUntil(askedAt, { ...bounds, cacheMs: Number.POSITIVE_INFINITY });
      return accept({ serial: keep(name, from, value, usableUntil(askedAt, { ...bounds, cacheMs: source.cacheSeconds * 1_000 })), endsAt });
    } finally {
      wipe(value);
    }
  }

  async function readValue(source: SecretSource, from: SecretOrigin, withinMs: number): Promise<Result<KvRead>> {
    const answer = await askWithToken(source, { method: 'GET', path: kvPath(from) }, withinMs);
    if (!answer.ok) return answer;
    const read = readKvAnswer(answer.value, from.field, wallMs());
    wipe(answer.value.body);
    // It may have been revoked: what is known of the token is asked anew.
    if (answer.value.status === 403) tokens.doubt(source);
    return read;
  }

  /** The same value keeps its key: what removes it from texts need not be made anew. */
  function keep(name: string, from: SecretOrigin, value: Buffer, until: number): number {
    const forgetAt = bootMs() + KNOWN_MS;
    const known = current.get(name);
    if (known !== undefined && holds(known.serial, value)) {
      current.set(name, { ...known, from: showOrigin(from), until, forgetAt });
      return known.serial;
    }
    const serial = keyring.keep(value);
    if (known !== undefined) {
      drop(past, name);
      past.set(name, { ...known, until: 0 });
    }
    current.set(name, { serial, from: showOrigin(from), until, forgetAt });
    ports.onKnown();
    return serial;
  }

  function holds(serial: number, value: Buffer): boolean {
    const known = keyring.read(serial);
    const same = known.equals(value);
    wipe(known);
    return same;
  }

  function handedOut(from: SecretOrigin, { serial, endsAt }: Fetched): Result<Buffer> {
    if (endsAt <= bootMs()) return refuse(`the source ${from.source} does not give it: what it gave had ended before it was here`);
    return accept(keyring.read(serial));
  }

  async function tryOut(name: string, from: SecretOrigin): Promise<Result<Buffer>> {
    if (sourceOf(vault.header(), from) === undefined) return refuse(`there is no source ${from.source}; see: holdfast secret source list`);
    const fetched = await readOnce(name, from);
    return fetched.ok && vault.state() === 'open' ? handedOut(from, fetched.value) : fetched.ok ? refuse('secrets are locked') : fetched;
  }

  function follow(): void {
    const header = vault.state() === 'open' ? vault.header() : null;
    const sources = header?.sources ?? [];
    const now = new Map(sources.map((source) => [source.name as string, JSON.stringify(source)]));
    const changed = (name: string): boolean => stamps.get(name) !== now.get(name);
    for (const [name, kept] of [...current]) {
      const [source = ''] = kept.from.split(':');
      // Of another token, or another place: it is read anew before it is used.
      if (changed(source)) current.set(name, { ...kept, until: 0 });
    }
    for (const map of [current, past]) {
      for (const name of [...map.keys()]) if (header === null || !header.secrets.some((secret) => secret.name === name && secret.from !== undefined)) drop(map, name);
    }
    for (const [name, { from }] of [...failed]) if (changed(from.split(':')[0] ?? '')) failed.delete(name);
    tokens.follow(sources, changed);
    stamps = now;
  }

  function sweep(): void {
    const before = current.size + past.size;
    for (const map of [current, past]) for (const [name, { forgetAt, until }] of [...map]) if (forgetAt <= bootMs() && until <= bootMs()) drop(map, name);
    if (current.size + past.size !== before) ports.onKnown();
  }

  function drop(map: Map<string, Kept>, name: string): void {
    const kept = map.get(name);
    if (kept === undefined) return;
    map.delete(name);
    keyring.drop(kept.serial);
  }

  return {
    valueFor, tryOut, follow, sweep,
    stateOf: (source) => tokens.stateOf(source),
    everything: () => [current, past].flatMap((map) => [...map].map(([name, { serial }]) => ({ name, value: keyring.read(serial) }))),
  };
}

function sourceOf(header: StoreHeader | null, { source }: SecretOrigin): SecretSource | undefined {
  return header?.sources?.find(({ name }) => name === source);
}
