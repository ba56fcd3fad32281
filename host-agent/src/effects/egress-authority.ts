// SPDX-License-Identifier: Apache-2.0
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { addressOf } from '../egress/address.ts';
import { authorityCertificate, hostCertificate, type CertificateKeys } from '../egress/certificate.ts';
import { literalAddress, type Host } from '../egress/host.ts';

/** What ends the TLS of inspected hosts inside the machine. Nobody outside it has heard of this authority, and it lives for one boot. */
export type EgressAuthority = {
  /** What programs of agents must trust. */
  readonly pem: string;
  readonly contextFor: (host: Host) => SecureContext;
};

/** The clock of a machine without a battery may stand in 1970 at boot, and be set later: the authority is valid whatever it says. */
const EVER = { from: new Date('1970-01-01T00:00:00Z'), to: new Date('2099-12-31T23:59:59Z') };
const DAY_MS = 86_400_000;
const LEAF_DAYS = 30;
const LEAVES_MAX = 500;

/** The folder lies in memory, and is kept over a restart of the role (RuntimeDirectoryPreserve=): programs read the certificate once. */
export function openAuthority(folder: string, now: () => number = Date.now): EgressAuthority {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { key, certificate } = load(folder) ?? make(folder);
  const issuerId = keyId(createPublicKey(key));
  // One key for all hosts: it is known to the same process as the authority's own.
  const leafKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const leafPem = leafKey.export({ type: 'pkcs8', format: 'pem' });
  const pem = pemOf(certificate);
  const leaves = new Map<Host, { readonly context: SecureContext; readonly from: number; readonly to: number }>();

  return {
    pem,
    contextFor: (host) => {
      const at = now();
      const known = leaves.get(host);
      if (known !== undefined && known.from < at && at < known.to - DAY_MS) return known.context;
      if (leaves.size >= LEAVES_MAX) leaves.clear();
      const [from, to] = [at - 2 * DAY_MS, at + LEAF_DAYS * DAY_MS];
      const literal = literalAddress(host);
      const keys = { subject: subjectOf(leafKey), issuerId, sign: signer(key) };
      const leaf = hostCertificate(host, literal === null ? null : addressOf(literal), keys, randomBytes(16), { from: new Date(from), to: new Date(to) });
      const context = createSecureContext({ key: leafPem, cert: `${pemOf(leaf)}${pem}`, minVersion: 'TLSv1.2' });
      leaves.set(host, { context, from, to });
      return context;
    },
  };
}

function load(folder: string): { readonly key: KeyObject; readonly certificate: Uint8Array } | null {
  if (!existsSync(`${folder}/authority.pem`)) return null;
  const text = readFileSync(`${folder}/authority.pem`, 'latin1');
  const key = createPrivateKey(text);
  const certificate = new X509Certificate(text);
  if (!certificate.checkPrivateKey(key)) throw new Error(`cannot use ${folder}/authority.pem: key and certificate do not belong together; remove it to have a new one made`);
  return { key, certificate: certificate.raw };
}

function make(folder: string): { readonly key: KeyObject; readonly certificate: Uint8Array } {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = subjectOf(key);
  const certificate = authorityCertificate({ subject, issuerId: subject.id, sign: signer(key) }, randomBytes(16), EVER);
  writeFileSync(`${folder}/authority.pem.new`, `${key.export({ type: 'pkcs8', format: 'pem' }).toString()}${pemOf(certificate)}`, { mode: 0o600 });
  renameSync(`${folder}/authority.pem.new`, `${folder}/authority.pem`);
  return { key, certificate };
}

function subjectOf(key: KeyObject): CertificateKeys['subject'] {
  const pub = createPublicKey(key);
  return { spki: pub.export({ type: 'spki', format: 'der' }), id: keyId(pub) };
}

/** RFC 5280, 4.2.1.2: SHA-1 of the key's bits, a name and no protection. Of P-256 they are the last 65 bytes. */
function keyId(pub: KeyObject): Uint8Array {
  return createHash('sha1').update(pub.export({ type: 'spki', format: 'der' }).subarray(-65)).digest();
}

function signer(key: KeyObject): CertificateKeys['sign'] {
  return (bytes) => sign('sha256', bytes, key);
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
