// SPDX-License-Identifier: Apache-2.0
import type { SourceAbout, SourceView } from '../secret/operator-wire.ts';
import { CACHE_SECONDS, MOST_CACHE_SECONDS } from '../secret/source.ts';
import { accept } from '../identity/result.ts';
import { ask } from './ask-secretd.ts';
import { wholeNumber, type Given } from './command.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { readSecret } from './read-secret.ts';
import { usage } from './run-command.ts';
import { columns } from './screen.ts';

export async function sourceAdd(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const seconds = given.options.get('cache');
  const cacheSeconds = seconds === undefined ? accept(CACHE_SECONDS) : wholeNumber('cache', seconds.replace(/s$/, ''), 0, MOST_CACHE_SECONDS);
  if (!cacheSeconds.ok) return usage(io, cacheSeconds.error);
  const { url = '', namespace = null, address = null } = Object.fromEntries(given.options);
  const token = await readSecret(io, `The token for ${name}`);
  if (!token.ok) return usage(io, token.error);
  const done = await ask(io, { op: 'source-add', name, url, namespace, address, cacheSeconds: cacheSeconds.value }, token.value);
  if (!done.ok) return done.exit;
  io.screen.line(`${name} is a source; whether it takes its token: holdfast secret source list`);
  io.screen.line(`where an authority of your own signed its certificate: holdfast secret source ca ${name} <ca.pem`);
  io.screen.line(`next: holdfast secret set NAME --from ${name}:MOUNT/PATH#FIELD --agent AGENT --host HOST`);
  return done.exit;
}

export async function sourceToken(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const token = await readSecret(io, `The new token for ${name}`);
  if (!token.ok) return usage(io, token.error);
  const done = await ask(io, { op: 'source-token', name }, token.value);
  if (done.ok) io.screen.line(`${name} is asked with its new token from now on; what remains: revoke the old one there`);
  return done.exit;
}

export async function sourceCa(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const pem = await readSecret(io, `The certificates for ${name}`);
  if (!pem.ok) return usage(io, pem.error);
  const done = await ask(io, { op: 'source-ca', name }, pem.value);
  if (done.ok) io.screen.line(`${name} may prove who it is by these certificates, or by a public authority`);
  return done.exit;
}

export async function sourceRemove(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const done = await ask(io, { op: 'source-remove', name });
  if (done.ok) io.screen.line(`${name} is gone, with its token; what remains: revoke that there`);
  return done.exit;
}

export async function sourceList(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly SourceView[]>(io, { op: 'sources' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const source of answer.value) io.screen.json(source);
    return answer.exit;
  }
  if (answer.value.length === 0) io.screen.line('there is no source; values are kept here');
  const rows = answer.value.map(({ name, about }) => (about === null ? [name] : [name, ...rowOf(about)]));
  const heading = answer.value.some(({ about }) => about !== null) ? ['NAME', 'URL', 'ADDRESS', 'CA', 'CACHE', 'SECRETS', 'TOKEN'] : ['NAME'];
  if (rows.length > 0) for (const line of columns([heading, ...rows])) io.screen.line(line);
  return answer.exit;
}

function rowOf(about: SourceAbout): readonly string[] {
  const { url, namespace, address, ca, cacheSeconds, secrets } = about;
  return [namespace === null ? url : `${url} (${namespace})`, address ?? 'by DNS', ca ? 'own' : 'public', `${cacheSeconds}s`, secrets.join(',') || '-', tokenWords(about)];
}

function tokenWords({ problem, tokenSeconds, renewable }: SourceAbout): string {
  if (problem !== null) return `PROBLEM: ${problem}`;
  if (tokenSeconds === null) return 'does not end, or is not known yet';
  return `ends in ${tokenSeconds}s${renewable ? ', renewed before' : ', NOT renewable'}`;
}
