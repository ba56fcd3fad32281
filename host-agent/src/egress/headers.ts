// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

/** Name as it was written, value; in the order in which they came. */
export type Header = readonly [name: string, value: string];

/** Node's parser has refused what is no header at all (llhttp, strict); this refuses what two readers could understand differently (F08). */
export type RequestHeaders = {
  /** What goes on: nothing that was meant for us alone. */
  readonly kept: readonly Header[];
  readonly host: string | null;
  readonly length: number | null;
  readonly chunked: boolean;
  /** Lower case; null where the request asks for none. */
  readonly upgrade: string | null;
};

const MOST = 200;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Field values are bytes to Node (latin1); controls but TAB end lines, or strings, for somebody (RFC 9110, 5.5).
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** RFC 9110, 7.6.1, and what old proxies had. */
const HOP_BY_HOP = ['connection', 'proxy-connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-authorization', 'proxy-authenticate', 'http2-settings'];
/** Said by us, not passed on: the host's name, and waiting for 100. */
const OURS = ['host', 'expect'];
/** Once or never: a second one is a second meaning. */
const SINGLE = ['host', 'content-length', 'transfer-encoding', 'content-type', 'content-encoding', 'authorization', 'expect', 'upgrade', 'range', 'user-agent', 'x-api-key'];
/** A Connection header may not name these as its own: removing them would change what the request means to the host. */
const NOT_OPTIONS = ['host', 'content-length', 'content-type', 'content-encoding', 'authorization', 'cookie', 'x-api-key', 'cache-control'];

/** `raw` is Node's list: name, value, name, value. */
export function readRequestHeaders(raw: readonly string[]): Result<RequestHeaders> {
  const all = pairs(raw);
  if (all.length > MOST) return refuse(`the request has more than ${MOST} headers`);
  const byName = new Map<string, string[]>();
  for (const [name, value] of all) {
    if (!TOKEN.test(name)) return refuse('the request has a header whose name is no token');
    if (!VALUE.test(value)) return refuse(`the header ${name} holds a control character`);
    const key = name.toLowerCase();
    byName.set(key, [...(byName.get(key) ?? []), value]);
  }
  const twice = SINGLE.find((name) => (byName.get(name)?.length ?? 0) > 1);
  if (twice !== undefined) return refuse(`the request has the header ${twice} twice`);

  const coding = byName.get('transfer-encoding')?.[0];
  const lengthText = byName.get('content-length')?.[0];
  // RFC 9112, 6.1 and 6.3: either is the end of the body; a request with both has two ends.
  if (coding !== undefined && lengthText !== undefined) return refuse('the request has both Content-Length and Transfer-Encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return refuse('the request has a Transfer-Encoding other than chunked');
  if (lengthText !== undefined && !/^(?:0|[1-9][0-9]{0,14})$/.test(lengthText)) return refuse('the request has a Content-Length that is no number');

  const options = (byName.get('connection') ?? []).flatMap((value) => value.split(',')).map((option) => option.trim().toLowerCase()).filter((option) => option !== '');
  const forbidden = options.find((option) => NOT_OPTIONS.includes(option));
  if (forbidden !== undefined) return refuse(`the Connection header names ${forbidden}, which is the host's to read`);
  const upgrade = options.includes('upgrade') ? (byName.get('upgrade')?.[0]?.toLowerCase() ?? null) : null;
  if (upgrade !== null && upgrade !== 'websocket') return refuse(`the request asks for an upgrade to ${JSON.stringify(upgrade.slice(0, 40))}; there is only websocket`);

  const dropped = new Set([...HOP_BY_HOP, ...OURS, ...options]);
  return accept({
    kept: all.filter(([name]) => !dropped.has(name.toLowerCase())),
    host: byName.get('host')?.[0] ?? null,
    length: lengthText === undefined ? null : Number(lengthText),
    chunked: coding !== undefined,
    upgrade,
  });
}

/** RFC 7838: where else the host would like to be asked. Nobody judged that place (F06); nor may it have programs go around us. */
const NOT_BACK = ['alt-svc', 'alt-used', 'clear-site-data', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-connection'];

/** Of a response: what is the host's to say to the program. */
export function keptResponseHeaders(raw: readonly string[]): readonly Header[] {
  const all = pairs(raw);
  const options = all.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.split(',')).map((option) => option.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...NOT_BACK, ...options.filter((option) => !NOT_OPTIONS.includes(option))]);
  return all.filter(([name, value]) => !dropped.has(name.toLowerCase()) && TOKEN.test(name) && VALUE.test(value));
}

export function withHeader(headers: readonly Header[], name: string, value: string): readonly Header[] {
  return [...withoutHeader(headers, name), [name, value]];
}

export function withoutHeader(headers: readonly Header[], name: string): readonly Header[] {
  return headers.filter(([known]) => known.toLowerCase() !== name);
}

export function headerOf(headers: readonly Header[], name: string): string | null {
  return headers.find(([known]) => known.toLowerCase() === name)?.[1] ?? null;
}

function pairs(raw: readonly string[]): readonly Header[] {
  return Array.from({ length: raw.length >> 1 }, (_, n) => [raw[2 * n]!, raw[2 * n + 1]!] as const);
}
