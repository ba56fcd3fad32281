// SPDX-License-Identifier: Apache-2.0
// The contract server as a process of its own, with TLS; what it is asked is told on standard output, and it does what it is told on
// standard input, a line of JSON each. Arguments: a folder, the host it is, the address and port it listens at.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { openAuthority } from '../effects/egress-authority.ts';
import type { Host } from '../egress/host.ts';
import { vaultContract, type VaultAnswer, type VaultContract } from './vault-contract.ts';

export type VaultOrder =
  | { readonly token: readonly [string, Parameters<VaultContract['token']>[1]] }
  | { readonly put: Parameters<VaultContract['put']> }
  | { readonly revoke: string }
  | { readonly remove: string }
  | { readonly destroy: string }
  | { readonly set: Partial<Pick<VaultContract, 'sealed' | 'standbyOf' | 'leaseDuration'>> }
  /** What it does in the place of a proper answer to KV; null: nothing of the kind. */
  | { readonly fault: VaultFault | null };
export type VaultFault = { readonly status: number; readonly body: string } | 'silent' | 'slow' | 'huge' | 'endless' | 'half' | 'hang-up' | 'no-http';

const [folder = '', host = '', address = '', port = ''] = process.argv.slice(2);
const tell = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
const vault = vaultContract();
let fault: VaultFault | null = null;

mkdirSync(folder, { recursive: true });
const authority = openAuthority(`${folder}/own`);
writeFileSync(`${folder}/ca.pem`, authority.pem);

const server = createServer({ SNICallback: (name, done) => done(null, authority.contextFor((name === 'wrong.example.com' ? 'other.example.com' : name) as Host)) }, (request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const { method = '', url = '' } = request;
    tell({ method, url, headers: request.headers, body });
    if (fault !== null && url.includes('/data/')) return misbehave(fault, response);
    send(response, vault.answer({ method, path: url, headers: request.headers as Record<string, string>, body }));
  });
});
server.on('tlsClientError', (why) => tell({ tlsRefused: why.message }));
server.listen(Number(port), address, () => tell({ ready: true, host }));

function send(response: ServerResponse, { status, headers, body }: VaultAnswer): void {
  response.writeHead(status, headers);
  response.end(body);
}

function misbehave(how: VaultFault, response: ServerResponse): void {
  if (typeof how === 'object') return send(response, { status: how.status, headers: { 'Content-Type': 'application/json' }, body: how.body });
  switch (how) {
    case 'silent':
      return;
    case 'slow': {
      // A byte at a time, for ever.
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const more = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(more));
      return;
    }
    case 'huge':
      response.writeHead(200, { 'Content-Length': String(2 ** 30) });
      return void pour(response);
    case 'endless':
      response.writeHead(200, { 'Content-Type': 'application/json' });
      return void pour(response);
    case 'half':
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('{"data":');
      return void setTimeout(() => response.destroy(), 50);
    case 'hang-up':
      return void response.destroy();
    case 'no-http':
      response.socket?.end('I am no HTTP server\r\n\r\n');
  }
}

/** 1 GiB, or until nobody takes it. */
function pour(response: ServerResponse): void {
  const part = Buffer.alloc(64 * 1024, ' ');
  let sent = 0;
  const on = (): void => {
    while (sent < 2 ** 30) {
      sent += part.length;
      if (!response.write(part)) return void response.once('drain', on);
    }
    response.end();
  };
  response.on('close', () => tell({ poured: sent }));
  on();
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as VaultOrder;
  if ('token' in order) vault.token(...order.token);
  else if ('put' in order) vault.put(...order.put);
  else if ('revoke' in order) vault.revoke(order.revoke);
  else if ('remove' in order) vault.remove(order.remove);
  else if ('destroy' in order) vault.destroy(order.destroy);
  else if ('set' in order) Object.assign(vault, order.set);
  else ({ fault } = order);
  tell({ done: true });
});
