// SPDX-License-Identifier: Apache-2.0
import { ipv4Of } from './ipv4.ts';
import { ipv6Of } from './ipv6.ts';

// R18: which addresses are out in the world. By the IANA IPv4 and IPv6 special-purpose address registries; what they do not call globally
// reachable is refused, and so is what is globally reachable but no one host's (multicast) or leads to another address (tunnels).

/** 4 or 16 bytes, in the order of the network. */
export type AddressBytes = Uint8Array;

type Block = { readonly bytes: readonly number[]; readonly bits: number; readonly why: string };

/** `10/8` style: bytes that are left out are zero. */
const V4: readonly Block[] = [
  block([0], 8, 'this network (RFC 791)'),
  block([10], 8, 'private (RFC 1918)'),
  block([100, 64], 10, 'shared by carriers (RFC 6598)'),
  block([127], 8, 'loopback'),
  block([169, 254], 16, 'link-local, where clouds keep their metadata (RFC 3927)'),
  block([172, 16], 12, 'private (RFC 1918)'),
  block([192, 0, 0], 24, 'protocol assignments (RFC 6890)'),
  block([192, 0, 2], 24, 'documentation (RFC 5737)'),
  block([192, 31, 196], 24, 'AS112 (RFC 7535)'),
  block([192, 52, 193], 24, 'AMT (RFC 7450)'),
  block([192, 88, 99], 24, '6to4 relays (RFC 7526)'),
  block([192, 168], 16, 'private (RFC 1918)'),
  block([192, 175, 48], 24, 'AS112 (RFC 7534)'),
  block([198, 18], 15, 'benchmarks (RFC 2544)'),
  block([198, 51, 100], 24, 'documentation (RFC 5737)'),
  block([203, 0, 113], 24, 'documentation (RFC 5737)'),
  block([224], 4, 'multicast'),
  block([240], 4, 'reserved, and broadcast'),
  // Public numbers by which clouds serve their own machines from within.
  block([168, 63, 129, 16], 32, 'metadata of a cloud (Azure)'),
];

/** Within 2000::/3, all that IANA has given out as global unicast, these are not. Everything outside it is refused as a whole. */
const V6: readonly Block[] = [
  block([0x20, 0x01, 0, 0], 32, 'Teredo (RFC 4380)'),
  block([0x20, 0x01, 0], 23, 'protocol assignments (RFC 2928)'),
  block([0x20, 0x01, 0x0d, 0xb8], 32, 'documentation (RFC 3849)'),
  block([0x20, 0x02], 16, '6to4 (RFC 3056)'),
  block([0x26, 0x20, 0, 0x4f, 0x80], 48, 'AS112 (RFC 7534)'),
  block([0x3f, 0xfe], 16, '6bone, given back (RFC 3701)'),
  block([0x3f, 0xff], 20, 'documentation (RFC 9637)'),
];
const GLOBAL_UNICAST = block([0x20], 3, '');

/** Where an IPv4 address stands in an IPv6 one, and the packet would end up there. */
const EMBEDDING: readonly (Block & { readonly at: number })[] = [
  { ...block([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 96, 'IPv4-mapped'), at: 12 },
  { ...block([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], 96, 'IPv4-translated (RFC 2765)'), at: 12 },
  { ...block([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 96, 'IPv4-compatible'), at: 12 },
  { ...block([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96, 'NAT64 (RFC 6052)'), at: 12 },
  { ...block([0x20, 0x02], 16, '6to4 (RFC 3056)'), at: 2 },
];

/** Null when it is public; else the kind of address it is. A length of neither kind is a fault in the caller, and not public. */
export function whyNotPublic(bytes: AddressBytes): string | null {
  if (bytes.length === 4) return V4.find((b) => isWithin(bytes, b))?.why ?? null;
  if (bytes.length !== 16) return 'no address';
  const embedded = EMBEDDING.find((b) => isWithin(bytes, b));
  if (embedded !== undefined) {
    const inner = whyNotPublic(bytes.subarray(embedded.at, embedded.at + 4));
    // Even around a public address: the same host has its own spelling, and one host must have one name for rules to hold.
    return inner === null ? `an IPv4 address in the dress of IPv6: ${embedded.why}` : `${embedded.why}, within it ${inner}`;
  }
  if (!isWithin(bytes, GLOBAL_UNICAST)) return 'not global unicast: loopback, unique-local, link-local, site-local, multicast or reserved';
  return V6.find((b) => isWithin(bytes, b))?.why ?? null;
}

/** Of what a resolver or the kernel answered. Null for text that is not the one spelling they use. */
export function addressOf(text: string): AddressBytes | null {
  return ipv4Of(text) ?? ipv6Of(text);
}

/** Text that is no address is not public. */
export function whyTextNotPublic(text: string): string | null {
  const bytes = addressOf(text);
  return bytes === null ? 'no address' : whyNotPublic(bytes);
}

function block(bytes: readonly number[], bits: number, why: string): Block {
  return { bytes, bits, why };
}

function isWithin(address: AddressBytes, { bytes, bits }: Block): boolean {
  for (let at = 0; at * 8 < bits; at += 1) {
    const left = bits - at * 8;
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((address[at]! ^ (bytes[at] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
