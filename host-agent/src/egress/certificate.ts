// SPDX-License-Identifier: Apache-2.0
import { bitString, boolean, bytesOf, context, integer, name, objectId, octets, sequence, time } from './der.ts';

// Two shapes of X.509 certificate (RFC 5280), built from parts: the authority of one boot, and one for a host below it. Reading is left
// to OpenSSL, which the test asks what it makes of them. A library would be ten packages for these lines.

export type CertificateKeys = {
  /** SubjectPublicKeyInfo in DER, and SHA-1 of the key in it: RFC 5280, 4.2.1.2 (1). */
  readonly subject: { readonly spki: Uint8Array; readonly id: Uint8Array };
  readonly issuerId: Uint8Array;
  /** ECDSA with SHA-256 over the bytes, in DER. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
};

export type Validity = { readonly from: Date; readonly to: Date };

/** 16 bytes; made positive here. */
export type Serial = Uint8Array;

const ECDSA_SHA256 = sequence(objectId([1, 2, 840, 10_045, 4, 3, 2]));
const EXTENSION = {
  subjectKeyId: [2, 5, 29, 14],
  keyUsage: [2, 5, 29, 15],
  subjectAltName: [2, 5, 29, 17],
  basicConstraints: [2, 5, 29, 19],
  authorityKeyId: [2, 5, 29, 35],
  extendedKeyUsage: [2, 5, 29, 37],
} as const;
const SERVER_AUTH = [1, 3, 6, 1, 5, 5, 7, 3, 1];
const AUTHORITY = name('Holdfast', 'Holdfast egress on this machine, this boot');
const INSPECTED = name('Holdfast', 'a host, as this machine inspects it');

/** May sign certificates for hosts, and no further authority. */
export function authorityCertificate(keys: CertificateKeys, serial: Serial, validity: Validity): Uint8Array {
  return certificate(AUTHORITY, keys, serial, validity, [
    extension('basicConstraints', true, sequence(boolean(true), integer(Uint8Array.of(0)))),
    // keyCertSign and cRLSign: bits 5 and 6.
    extension('keyUsage', true, bitString(Uint8Array.of(0b0000_0110), 1)),
    extension('subjectKeyId', false, octets(keys.subject.id)),
  ]);
}

/** `address`: 4 or 16 bytes, where the host is one. */
export function hostCertificate(host: string, address: Uint8Array | null, keys: CertificateKeys, serial: Serial, validity: Validity): Uint8Array {
  const alternative = address === null ? context(2, bytesOf(host), false) : context(7, address, false);
  return certificate(INSPECTED, keys, serial, validity, [
    extension('basicConstraints', true, sequence()),
    extension('keyUsage', true, bitString(Uint8Array.of(0b1000_0000), 7)),
    extension('extendedKeyUsage', false, sequence(objectId(SERVER_AUTH))),
    extension('subjectAltName', false, sequence(alternative)),
    extension('subjectKeyId', false, octets(keys.subject.id)),
    extension('authorityKeyId', false, sequence(context(0, keys.issuerId, false))),
  ]);
}

function certificate(subject: Uint8Array, keys: CertificateKeys, serial: Serial, { from, to }: Validity, extensions: readonly Uint8Array[]): Uint8Array {
  // RFC 5280, 4.1.2.2: positive, and of at most 20 bytes.
  const number = Uint8Array.from(serial, (byte, at) => (at === 0 ? (byte & 0x3f) | 0x40 : byte));
  const body = sequence(
    context(0, integer(Uint8Array.of(2)), true),
    integer(number),
    ECDSA_SHA256,
    AUTHORITY,
    sequence(time(from), time(to)),
    subject,
    keys.subject.spki,
    context(3, sequence(...extensions), true),
  );
  return sequence(body, ECDSA_SHA256, bitString(keys.sign(body), 0));
}

function extension(which: keyof typeof EXTENSION, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(objectId(EXTENSION[which]), ...(critical ? [boolean(true)] : []), octets(value));
}
