// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { parseHostPort } from './host.ts';

declare const brand: unique symbol;
/** In small letters, so that it is never taken for the name of a secret. */
export type SourceName = string & { readonly [brand]: 'SourceName' };

/** A server that keeps values which this machine does not keep: Vault or OpenBao, of which only the engine KV version 2 is read. */
export type SecretSource = {
  readonly name: SourceName;
  readonly kind: 'vault';
  readonly host: string;
  readonly port: number;
  readonly namespace: string | null;
  /** Where it is, when its name is not to be asked of DNS: the one address that is dialled, which may be a private one. */
  readonly address: string | null;
  /** Certificates of the authority that signed its own, in PEM, besides the public ones. */
  readonly ca: string | null;
  /** The longest that a value which was read is used without reading it anew. */
  readonly cacheSeconds: number;
  readonly setAt: string;
  readonly setBy: string;
};

/** Which field of which secret of the source. */
export type SecretOrigin = { readonly source: SourceName; readonly mount: string; readonly path: string; readonly field: string };

export const CACHE_SECONDS = 60;
export const MOST_CACHE_SECONDS = 3_600;
export const MOST_SOURCES = 8;
const MOST_CA = 64 * 1024;

const NAME = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const NAMESPACE = /^[A-Za-z0-9_-]{1,64}(?:\/[A-Za-z0-9_-]{1,64}){0,7}$/;
/** What needs no escape in a URL and means nothing there (RFC 3986, 2.3), and what is usual in paths. Vault takes none that ends in a period. */
const SEGMENT = /^[A-Za-z0-9._~@:=+-]{0,127}[A-Za-z0-9_~@:=+-]$/;
const FIELD = /^[A-Za-z0-9._@:=+-]{1,128}$/;
const MOST_PATH = 512;
const PEM = /^(?:-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n)+$/;

export function parseSourceName(text: string): Result<SourceName> {
  return NAME.test(text) ? accept(text as SourceName) : refuse('the name of a source begins with a-z and holds only a-z, 0-9 and -, at most 32 characters');
}

/** `https://vault.example:8200`. Never http: the token would travel for everybody to read. */
export function parseSourceUrl(text: string): Result<{ readonly host: string; readonly port: number }> {
  const [, authority] = /^https:\/\/([^/?#@]*)\/?$/.exec(text) ?? [];
  if (authority === undefined) return refuse('the URL of a source is https://HOST or https://HOST:PORT, and nothing behind it; Holdfast sends its token to no http://');
  const at = parseHostPort(authority);
  return at.ok ? at : refuse('the URL of a source names its host in full and in small letters, as its certificate does, and by no address; where it is reached by an address, give that beside it: --address 10.0.0.5');
}

export function parseNamespace(text: string): Result<string> {
  const bare = text.replace(/\/$/, '');
  return NAMESPACE.test(bare) ? accept(bare) : refuse('a namespace holds letters, digits, - and _, with / between its parts');
}

/** Only the one spelling that resolvers and the kernel use, so that what is declared, dialled and compared is one text. */
export function isIpv4Text(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}

export function isCacheTime(seconds: unknown): seconds is number {
  return typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds >= 0 && seconds <= MOST_CACHE_SECONDS;
}

/** Certificates and nothing else: a key that somebody gave by mistake must not be kept in a header that is not encrypted. */
export function parseCa(text: string): Result<string> {
  if (text.includes('PRIVATE KEY')) return refuse('this holds a private key; give the certificate of the authority alone. The key you gave may have been seen');
  const begin = text.indexOf('-----BEGIN CERTIFICATE-----');
  // What some programs write above a certificate, for people.
  const blocks = begin < 0 ? [] : (text.replaceAll('\r', '').match(/-----BEGIN CERTIFICATE-----\n[^-]*-----END CERTIFICATE-----/g) ?? []);
  const pem = blocks.map((block) => `${block}\n`).join('');
  return pem.length <= MOST_CA && PEM.test(pem) ? accept(pem) : refuse(`this is no list of certificates in PEM of at most ${MOST_CA} bytes`);
}

/** `SOURCE:MOUNT/PATH#FIELD`. The mount is the first part of the path. */
export function parseOrigin(text: string): Result<SecretOrigin> {
  const [, name = '', place = '', field = ''] = /^([^:]*):([^#]*)#(.*)$/.exec(text) ?? [];
  const source = parseSourceName(name);
  const [mount = '', ...path] = place.split('/');
  if (!source.ok) return refuse('where a secret comes from is written SOURCE:MOUNT/PATH#FIELD, for example vault:kv/team/anthropic#key');
  return parseOriginParts({ source: source.value, mount, path: path.join('/'), field });
}

export function parseOriginParts({ source, mount, path, field }: { readonly source: string; readonly mount: string; readonly path: string; readonly field: string }): Result<SecretOrigin> {
  const name = parseSourceName(source);
  if (!name.ok) return name;
  const segments = [mount, ...path.split('/')];
  const wrong = segments.find((segment) => !SEGMENT.test(segment));
  if (wrong !== undefined || path.length > MOST_PATH) return refuse('a path of a source is MOUNT/PATH: parts of letters, digits and . _ ~ @ : = + -, none of them empty or ending in a period, in all at most 512 characters');
  if (mount.length + path.length > MOST_PATH) return refuse(`a path of a source has at most ${MOST_PATH} characters`);
  if (path.startsWith('data/')) return refuse(`write the path as people do, without the "data/" of the HTTP interface: ${mount}/${path.slice('data/'.length)}`);
  if (!FIELD.test(field)) return refuse('after # stands the name of one field, of letters, digits and . _ @ : = + -');
  return accept({ source: name.value, mount, path, field });
}

export function showOrigin({ source, mount, path, field }: SecretOrigin): string {
  return `${source}:${mount}/${path}#${field}`;
}

/** As the keyring and the marks of what was removed know it; no secret is called so. */
export function tokenOf(source: SourceName): string {
  return `${source}.token`;
}

/** Of the HTTP interface; every part of an origin stands in a URL as it is. */
export function kvPath({ mount, path }: SecretOrigin): string {
  return `/v1/${mount}/data/${path}`;
}
