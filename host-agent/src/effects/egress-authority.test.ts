// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Host } from '../egress/host.ts';
import { openAuthority } from './egress-authority.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync('/tmp/holdfast-authority-');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const host = (text: string): Host => text as Host;

/** What a client that trusts the authority alone sees of the host's certificate. */
async function handshake(pem: string, context: ReturnType<ReturnType<typeof openAuthority>['contextFor']>, servername: string): Promise<{ readonly authorized: boolean; readonly leaf: X509Certificate | null; readonly why: string }> {
  const server = createServer({ SNICallback: (_name, done) => done(null, context) }).on('tlsClientError', () => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket: TLSSocket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername, ca: pem, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    return { authorized: socket.authorized, leaf: socket.getPeerX509Certificate() ?? null, why: String(socket.authorizationError ?? '') };
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('the authority of a boot', () => {
  test('is what OpenSSL calls an authority, and signs for no further one', () => {
    const { pem } = openAuthority(folder);
    writeFileSync(`${folder}/ca.pem`, pem);
    const said = execFileSync('openssl', ['x509', '-in', `${folder}/ca.pem`, '-noout', '-text'], { encoding: 'utf8' });
    for (const line of ['Version: 3', 'ecdsa-with-SHA256', 'CA:TRUE, pathlen:0', 'Certificate Sign, CRL Sign', 'Subject Key Identifier', 'prime256v1', 'Not Before: Jan  1 00:00:00 1970', 'Not After : Dec 31 23:59:59 2099']) expect(said).toContain(line);
    expect(execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', `${folder}/ca.pem`, `${folder}/ca.pem`], { encoding: 'utf8' })).toContain('OK');
    const read = new X509Certificate(pem);
    expect(read.ca).toBe(true);
    expect(read.verify(read.publicKey)).toBe(true);
  });

  test('is kept over a restart, for its owner alone', () => {
    const before = openAuthority(folder).pem;
    expect(openAuthority(folder).pem).toBe(before);
    expect(statSync(`${folder}/authority.pem`).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${folder}/authority.pem`, 'utf8')).toContain('PRIVATE KEY');
    rmSync(`${folder}/authority.pem`);
    expect(openAuthority(folder).pem).not.toBe(before);
  });

  test('does not start with halves that do not belong together', () => {
    openAuthority(folder);
    const other = openAuthority(mkdtempSync(`${folder}/other-`)).pem;
    const own = readFileSync(`${folder}/authority.pem`, 'utf8');
    writeFileSync(`${folder}/authority.pem`, own.slice(0, own.indexOf('-----BEGIN CERT')) + other);
    expect(() => openAuthority(folder)).toThrow('do not belong together');
  });

  test('gives a host its name, an address its address, and both hold under strict rules', async () => {
    const authority = openAuthority(folder);
    const seen = await handshake(authority.pem, authority.contextFor(host('api.example.com')), 'api.example.com');
    expect(seen).toMatchObject({ authorized: true });
    expect(seen.leaf!.subjectAltName).toBe('DNS:api.example.com');
    expect(seen.leaf!.ca).toBe(false);
    writeFileSync(`${folder}/ca.pem`, authority.pem);
    writeFileSync(`${folder}/leaf.pem`, seen.leaf!.toString());
    const verify = (...more: string[]): string => execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', `${folder}/ca.pem`, ...more, `${folder}/leaf.pem`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    expect(verify('-verify_hostname', 'api.example.com')).toContain('OK');
    expect(() => verify('-verify_hostname', 'evil.example.com')).toThrow();
    expect((await handshake(authority.pem, authority.contextFor(host('api.example.com')), 'evil.example.com')).authorized).toBe(false);

    const byAddress = await handshake(authority.pem, authority.contextFor(host('[2606:2800::1]')), 'x.example');
    expect(byAddress.leaf!.subjectAltName).toBe('IP Address:2606:2800:0:0:0:0:0:1');
  });

  test('makes a host one certificate, and a new one before it ends or when the clock has jumped', () => {
    let now = Date.parse('1970-01-05T00:00:00Z');
    const authority = openAuthority(folder, () => now);
    const first = authority.contextFor(host('a.example'));
    expect(authority.contextFor(host('a.example'))).toBe(first);
    now = Date.parse('2026-01-01T00:00:00Z');
    const second = authority.contextFor(host('a.example'));
    expect(second).not.toBe(first);
    now -= 10 * 86_400_000;
    expect(authority.contextFor(host('a.example'))).not.toBe(second);
  });
});
