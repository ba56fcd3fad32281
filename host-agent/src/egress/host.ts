// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { whyNotPublic } from './address.ts';
import { ipv4Of } from './ipv4.ts';
import { ipv6Of, ipv6Text } from './ipv6.ts';

// The one reading of a host (R18, attack cases F04, F05). A browser turns a hundred spellings into the same address; we take one
// spelling and refuse all others, so that what is judged, recorded, resolved and asked of TLS is one string that nobody reads twice.

declare const brand: unique symbol;
/** Lower case, no final dot; a DNS name, a dotted IPv4 address, or an IPv6 address in brackets. Never one that R18 refuses. */
export type Host = string & { readonly [brand]: 'Host' };

const MOST = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** No name of the root zone begins otherwise (RFC 3696, 2); what some system takes for a number does: 127, 0177, 0x7f, 8e0. */
const LAST = /^[a-z]/;
/** RFC 6761, 6762, 7686, 8375, 9476, and `internal`, which ICANN keeps for private use: names that mean something else at each place. */
const LOCAL_ENDS = ['localhost', 'localdomain', 'local', 'internal', 'intranet', 'private', 'corp', 'home', 'lan', 'home.arpa', 'onion', 'invalid', 'alt'];
/** Reverse names lead to what an address calls itself, and are resolved by what answers for the local network. */
const REVERSE_ENDS = ['in-addr.arpa', 'ip6.arpa'];

export function parseHost(text: string): Result<Host> {
  if (text === '') return refuse('it is empty');
  if (text.length > MOST + 2) return refuse(`it is longer than ${MOST} characters`);
  // Before anything is folded: full-width digits, circled digits, homographs and invisible characters all end here.
  if (!/^[\x21-\x7e]+$/.test(text)) return refuse('it holds a character that is not printable ASCII; write an international name as xn--');
  if (text.startsWith('[')) return parseBracketed(text);
  const name = text.toLowerCase();
  const forbidden = /[^a-z0-9.-]/.exec(name)?.[0];
  if (forbidden !== undefined) return refuse(`it holds ${JSON.stringify(forbidden)}`);
  if (name.endsWith('.')) return refuse('it ends with a dot');
  if (name.length > MOST) return refuse(`it is longer than ${MOST} characters`);
  const v4 = ipv4Of(name);
  if (v4 !== null) return publicOr(v4, name);
  const labels = name.split('.');
  if (labels.some((label) => !LABEL.test(label))) return refuse('one of its labels is empty, too long, or begins or ends with a dash');
  // WHATWG URL, "ends in a number": such a host is an address to many readers, and canonical addresses were taken above.
  if (!LAST.test(labels.at(-1)!)) return refuse('it is a number or an address, and not in the form of four decimal numbers');
  if (labels.length === 1) return refuse('it has no dot: only full names are reached');
  const end = [...LOCAL_ENDS, ...REVERSE_ENDS].find((known) => name.endsWith(`.${known}`));
  if (end !== undefined) return refuse(`names below ${end} are internal`);
  return accept(name as Host);
}

function parseBracketed(text: string): Result<Host> {
  if (!text.endsWith(']')) return refuse('its bracket is not closed');
  const inner = text.slice(1, -1);
  if (inner.includes('%')) return refuse('it has a zone id');
  const bytes = ipv6Of(inner);
  if (bytes === null) return refuse('what stands in brackets is no IPv6 address');
  if (ipv6Text(bytes) !== inner) {
    const why = whyNotPublic(bytes);
    return refuse(why === null ? `write this address as [${ipv6Text(bytes)}]` : `the address is not public: ${why}`);
  }
  return publicOr(bytes, text);
}

function publicOr(bytes: Uint8Array, text: string): Result<Host> {
  const why = whyNotPublic(bytes);
  return why === null ? accept(text as Host) : refuse(`the address is not public: ${why}`);
}

/** The address that a host is, without brackets; null for a name. */
export function literalAddress(host: string): string | null {
  if (host.startsWith('[')) return host.slice(1, -1);
  return ipv4Of(host) === null ? null : host;
}
