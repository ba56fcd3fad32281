// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { addSource, changeSource, removeSource, type Author } from '../secret/change-store.ts';
import { valueProblem } from '../secret/name.ts';
import type { ReadRequest, SecretReply, SecretsStatus, SourceView } from '../secret/operator-wire.ts';
import { parseCa, tokenOf, type SecretSource } from '../secret/source.ts';
import type { StoreHeader } from '../secret/store-header.ts';
import type { SourceDesk } from './source-desk.ts';
import type { Vault } from './vault.ts';

type SourceRequest = Extract<ReadRequest, { op: 'source-add' | 'source-token' | 'source-ca' | 'source-remove' }>;
/** Records it and does it, or says why not. */
export type Changed = (what: string, name: string, make: (store: StoreHeader) => Result<StoreHeader>, value?: { readonly key: string; readonly bytes: Buffer }) => Promise<SecretReply<JsonValue>>;
type Seen = { readonly vault: Pick<Vault, 'state' | 'header'>; readonly sources: Pick<SourceDesk, 'stateOf'> };

/** What operators say of sources. A token goes the way of a value. */
export async function actOnSource(request: SourceRequest, given: Buffer, author: Author, changed: Changed, whyNoAddress: (address: string) => string | null): Promise<SecretReply<JsonValue>> {
  const { name } = request;
  const token = { key: tokenOf(name), bytes: given };
  switch (request.op) {
    case 'source-add': {
      const { host, port, namespace, address, cacheSeconds } = request;
      const problem = valueProblem(given);
      if (problem !== null) return refuse(`this is no token: ${problem}`);
      const why = address === null ? null : whyNoAddress(address);
      if (why !== null) return refuse(`no source can be at ${address}: ${why}`);
      const where = `${host}:${port}${address === null ? '' : ` at ${address}`}`;
      return changed(`source added: ${where}`, name, (store) => addSource(store, { name, kind: 'vault', host, port, namespace, address, ca: null, cacheSeconds }, author), token);
    }
    case 'source-token': {
      const problem = valueProblem(given);
      if (problem !== null) return refuse(`this is no token: ${problem}`);
      return changed('source has a new token', name, (store) => changeSource(store, name, {}, author), token);
    }
    case 'source-ca': {
      const ca = parseCa(given.toString('latin1'));
      if (!ca.ok) return ca;
      const why = whyNoAuthority(ca.value);
      if (why !== null) return refuse(why);
      return changed('source has other certificates', name, (store) => changeSource(store, name, { ca: ca.value }, author));
    }
    case 'source-remove':
      return changed('source removed', name, (store) => removeSource(store, name));
  }
}

/** What OpenSSL cannot read would be found out at the first use, by an agent. */
function whyNoAuthority(pem: string): string | null {
  for (const one of pem.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----\n/g) ?? []) {
    try {
      if (!new X509Certificate(one).ca) return 'a certificate among these is of no authority; give that of who signed the server\'s, not the server\'s own';
    } catch {
      return 'a certificate among these cannot be read';
    }
  }
  return null;
}

export function viewSources({ vault, sources }: Seen, manages: boolean): readonly SourceView[] {
  const header = vault.header();
  return (header?.sources ?? []).map((source) => ({ name: source.name, about: manages ? aboutOf(source, header!, vault, sources) : null }));
}

function aboutOf(source: SecretSource, { secrets }: StoreHeader, vault: Seen['vault'], desk: Seen['sources']): SourceView['about'] {
  const { name, host, port, namespace, address, ca, cacheSeconds, setAt, setBy } = source;
  const closed = vault.state() !== 'open';
  const token = closed ? { tokenSeconds: null, renewable: false, problem: 'secrets are locked' } : desk.stateOf(source);
  const used = secrets.filter(({ from }) => from?.source === name).map((secret) => secret.name);
  return { url: `https://${host}:${port}`, namespace, address, ca: ca !== null, cacheSeconds, secrets: used, setAt, setBy, ...token };
}

export function sourceProblems({ vault, sources }: Seen): SecretsStatus['sources'] {
  if (vault.state() !== 'open') return [];
  return (vault.header()?.sources ?? []).flatMap((source) => {
    const { problem } = sources.stateOf(source);
    return problem === null ? [] : [{ name: source.name, problem }];
  });
}
