// SPDX-License-Identifier: Apache-2.0
import { askSecretd } from '../effects/secret-client.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { showHostPort } from '../secret/host.ts';
import type { BindingWords, MadeKeys, SecretBindingView, SecretRequest, SecretsState, SecretsStatus, SecretView } from '../secret/operator-wire.ts';
import { ACCESS_LEVELS, SLOT_KINDS } from '../secret/store-header.ts';
import { ask } from './ask-secretd.ts';
import { wholeNumber, type Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { readNewPassphrase, readSecret } from './read-secret.ts';
import { usage } from './run-command.ts';
import { columns, styled, type Style } from './screen.ts';

export async function secretInit(io: Io): Promise<ExitCode> {
  const passphrase = await readNewPassphrase(io);
  if (!passphrase.ok) return usage(io, passphrase.error);
  const made = await ask<MadeKeys>(io, { op: 'init' }, passphrase.value);
  if (!made.ok) return made.exit;
  io.screen.line('the store is made, and it is open');
  showRecovery(io, made.value);
  if (made.value.credential) io.screen.line('this machine opens it by itself at each start, with the credential that systemd passes it');
  else io.screen.line('after each start of the machine: holdfast secret unlock');
  if (!made.value.credential && made.value.tpm !== null) io.screen.line('this machine has a TPM 2.0, which can open them with nobody there: holdfast secret key credential');
  io.screen.line('next: holdfast secret set NAME --agent AGENT --host HOST');
  return made.exit;
}

export async function secretUnlock(io: Io): Promise<ExitCode> {
  const known = await askQuietly<SecretsStatus>(io, { op: 'status' });
  if (known?.state === 'open') {
    io.screen.line('secrets are open already');
    return EXIT.ok;
  }
  const secret = await readSecret(io, 'The passphrase, or the recovery code');
  if (!secret.ok) return usage(io, secret.error);
  const done = await ask(io, { op: 'unlock' }, secret.value);
  if (done.ok) io.screen.line(styled('secrets are open', 'green'));
  return done.exit;
}

export async function secretLock(io: Io): Promise<ExitCode> {
  const done = await ask(io, { op: 'lock' });
  if (done.ok) io.screen.line('secrets are locked; requests that need one are refused until: holdfast secret unlock');
  return done.exit;
}

const STATES: Readonly<Record<SecretsState, { readonly style: Style; readonly text: string }>> = {
  open: { style: 'green', text: 'open' },
  locked: { style: 'red', text: 'locked; open them with: holdfast secret unlock' },
  absent: { style: 'yellow', text: 'there is no store yet; make one with: holdfast secret init' },
  damaged: { style: 'red', text: 'closed, for the store cannot be used' },
};

export async function secretStatus(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<SecretsStatus>(io, { op: 'status' }, undefined, false);
  if (!answer.ok) return answer.exit;
  const { state, problem, generation, secrets, slots, credential, machineKey, old, expired, disk, sources } = answer.value;
  if (given.options.has('json')) {
    io.screen.json(answer.value);
    return EXIT.ok;
  }
  io.screen.line('secrets: ', styled(STATES[state].text, STATES[state].style));
  if (problem !== null) io.screen.line(styled('why: ', 'red'), problem);
  if (generation !== null) io.screen.line(`${secrets} kept, generation ${generation}; opened by ${[...new Set(slots)].join(', ')}${credential ? (machineKey.from === 'sealed' ? '; the TPM opens the sealed key of this machine' : '; systemd passes a credential') : ''}`);
  if (machineKey.why !== null && slots.includes('credential')) io.screen.line(styled('not opened by this machine: ', 'red'), `${machineKey.why}. What to do: holdfast secret unlock; where the machine is the right one, then seal a new key: holdfast secret key credential`);
  for (const name of expired) io.screen.line(styled('expired: ', 'red'), `${name}; no request gets it until: holdfast secret rotate ${name}`);
  for (const name of old) io.screen.line(styled('old: ', 'yellow'), `${name} has not been rotated for as long as it should be; make a new one at its vendor, then: holdfast secret rotate ${name}`);
  for (const { name, problem: why } of sources) io.screen.line(styled(`source ${name}: `, 'red'), why);
  if (disk !== null) io.screen.line(styled('not on the disk: ', 'red'), `the newest change: ${disk}`);
  return EXIT.ok;
}

export async function secretSet(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const expires = expiryOf(given);
  if (!expires.ok) return usage(io, expires.error);
  const days = given.options.get('rotate-every');
  const rotateDays = days === undefined ? accept(null) : wholeNumber('rotate-every', days.replace(/d$/, ''), 1, 3650);
  if (!rotateDays.ok) return usage(io, rotateDays.error);
  const words = bindingWords(given);
  const from = given.options.get('from');
  const value = from === undefined ? await readSecret(io, `The value of ${name}`) : accept(undefined);
  if (!value.ok) return usage(io, value.error);
  const done = await ask(io, { op: 'set', name, rotateDays: rotateDays.value, expires: expires.value, ...words, ...(from === undefined ? {} : { from }) }, value.value);
  if (!done.ok) return done.exit;
  io.screen.line(from === undefined ? `${name} is kept` : `${name} was read from ${from}, and is read there when it is used`);
  await tellBinding(io, name);
  return done.exit;
}

export async function secretRotate(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const expires = expiryOf(given);
  if (!expires.ok) return usage(io, expires.error);
  const hours = given.options.get('grace');
  const graceHours = hours === undefined ? accept(null) : wholeNumber('grace', hours.replace(/h$/, ''), 0, 720);
  if (!graceHours.ok) return usage(io, graceHours.error);
  const value = await readSecret(io, `The new value of ${name}`);
  if (!value.ok) return usage(io, value.error);
  const done = await ask(io, { op: 'rotate', name, graceHours: graceHours.value, expires: expires.value }, value.value);
  if (!done.ok) return done.exit;
  io.screen.line(`${name} has its new value, and every request from now on gets it; agents keep their placeholder and need do nothing`);
  if (graceHours.value !== 0) io.screen.line(`the old value is handed out no more; for ${graceHours.value === null ? 'its grace (holdfast settings)' : `${graceHours.value} hours`} it is still removed from logs and results where it shows`);
  io.screen.line('what remains: end the old value at its vendor');
  return done.exit;
}

export async function secretRemove(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const done = await ask(io, { op: 'remove', name });
  if (done.ok) io.screen.line(`${name} is gone from this machine; what remains: end it at its vendor`);
  return done.exit;
}

export async function secretList(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly SecretView[]>(io, { op: 'list' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const secret of answer.value) io.screen.json(secret);
    return answer.exit;
  }
  if (answer.value.length === 0) io.screen.line('no secret is kept');
  const rows = answer.value.map(({ name, binding }) => (binding === null ? [name] : [name, ...rowOf(binding)]));
  const sourced = answer.value.some(({ binding }) => (binding?.from ?? null) !== null);
  const heading = answer.value.some(({ binding }) => binding !== null) ? ['NAME', 'AGENTS', 'HOSTS', 'HEADER', 'AGE', 'EXPIRES', 'FROM'] : ['NAME'];
  // A column for those who have a source.
  const shown = [heading, ...rows].map((row) => (sourced ? row : row.slice(0, 6)));
  if (rows.length > 0) for (const line of columns(shown)) io.screen.line(line);
  return answer.exit;
}

/** Names of secrets are in upper case and those of agents in lower, so one word says which it is about. */
export async function secretAccess(io: Io, given: Given): Promise<ExitCode> {
  const [about = '', level] = given.operands;
  const words = bindingWords(given);
  const isAgent = /^[a-z]/.test(about);
  const changes = Object.values(words).some((word) => word !== null);
  if (isAgent) {
    const known = ACCESS_LEVELS.find((one) => one === level);
    if (known === undefined || changes) return usage(io, `of an agent, say one of ${ACCESS_LEVELS.join(', ')}: holdfast secret access ${about} none`);
    const done = await ask(io, { op: 'level', agent: about, level: known });
    if (done.ok) io.screen.line(`${about}: ${{ none: 'no secret at all', scoped: 'the secrets that name it', full: 'every secret, each for its own hosts, but those that forbid it' }[known]}`);
    return done.exit;
  }
  if (level !== undefined) return usage(io, `of a secret, say --agent, --forbid, --host or --header; ${ACCESS_LEVELS.join(', ')} are for agents`);
  if (!changes) return tellBinding(io, about);
  const done = await ask(io, { op: 'access', name: about, ...words });
  if (!done.ok) return done.exit;
  await tellBinding(io, about);
  return done.exit;
}

export async function secretKey(io: Io, given: Given): Promise<ExitCode> {
  const kind = SLOT_KINDS.find((known) => known === given.operands[0]);
  if (kind === undefined) return usage(io, `the key to replace is one of ${SLOT_KINDS.join(', ')}`);
  if (given.options.has('remove')) {
    if (kind !== 'credential') return usage(io, 'only the credential can be removed; a passphrase and a recovery code are replaced');
    const gone = await ask(io, { op: 'key', kind, remove: true });
    if (gone.ok) io.screen.line('this machine opens its secrets by itself no more; after each start: holdfast secret unlock');
    return gone.exit;
  }
  const passphrase = kind === 'passphrase' ? await readNewPassphrase(io) : null;
  if (passphrase?.ok === false) return usage(io, passphrase.error);
  const made = await ask<MadeKeys>(io, { op: 'key', kind }, passphrase?.value);
  if (!made.ok) return made.exit;
  showRecovery(io, made.value);
  io.screen.line({ passphrase: 'the passphrase is another now; the one before opens nothing', recovery: 'the code before opens nothing', credential: 'this machine opens its secrets by itself from now on' }[kind]);
  if (made.value.tpm === 'sealed') io.screen.line('the key is sealed to its TPM and to how it starts: after an update of the image or the firmware, unlock them once and give this command again');
  return made.exit;
}

function showRecovery(io: Io, { recovery }: MadeKeys): void {
  if (recovery === null) return;
  io.screen.line('the recovery code, for when the passphrase is forgotten; it is shown now and never again, so write it down:');
  io.screen.command('  ', styled(recovery, 'bold'));
}

async function tellBinding(io: Io, name: string): Promise<ExitCode> {
  const answer = await ask<readonly SecretView[]>(io, { op: 'list' }, undefined, false);
  if (!answer.ok) return answer.exit;
  const secret = answer.value.find((known) => known.name === name);
  if (secret === undefined) {
    io.screen.complain(styled('refused: ', 'red'), `there is no secret ${name}; see: holdfast secret list`);
    return EXIT.refused;
  }
  const { binding } = secret;
  if (binding === null) return EXIT.ok;
  const { agents, forbid, hosts, header, placeholder, from } = binding;
  io.screen.line(`agents: ${agents.length === 0 ? 'none yet; name them with: ' : agents.join(', ')}`, agents.length === 0 ? `holdfast secret access ${name} --agent AGENT` : '');
  if (forbid.length > 0) io.screen.line(`forbidden: ${forbid.join(', ')}`);
  io.screen.line(`hosts:  ${hosts.map(showHostPort).join(', ')}`);
  io.screen.line(`header: ${header.name}: ${header.template}`);
  if (from !== null) io.screen.line(`from:   ${from}`);
  io.screen.line('the agent sees this in its place, and what it sends with it gets the value on its way out:');
  io.screen.command('  ', placeholder);
  for (const agent of agents) io.screen.line(`what remains: ${agent} takes it up when it is started: holdfast agent stop ${agent}, then holdfast agent start ${agent}`);
  return EXIT.ok;
}

function rowOf({ agents, hosts, header, ageDays, rotateDays, expires, from }: SecretBindingView): readonly string[] {
  const age = `${ageDays}d${ageDays >= rotateDays ? ' OLD' : ''}`;
  return [agents.join(',') || '-', hosts.map(showHostPort).join(','), header.name, from === null ? age : '-', expires?.slice(0, 10) ?? '-', from ?? 'kept here'];
}

function bindingWords(given: Given): BindingWords {
  const list = (name: string): readonly string[] | null => given.options.get(name)?.split(',').map((word) => word.trim()).filter((word) => word !== '') ?? null;
  return { agents: list('agent'), forbid: list('forbid'), hosts: list('host'), header: given.options.get('header') ?? null };
}

/** A day, which it lasts until the end of, or a time. */
function expiryOf(given: Given): Result<string | null> {
  const text = given.options.get('expires');
  if (text === undefined) return accept(null);
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T23:59:59.999Z`) : /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  const valid = !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === text.slice(0, 10);
  return valid || (!Number.isNaN(at) && text.includes('T')) ? accept(new Date(at).toISOString()) : refuse(`--expires must be a day that exists (2027-03-31) or a time (2027-03-31T12:00:00Z), not "${text}"`);
}

async function askQuietly<T>(io: Io, request: SecretRequest): Promise<T | null> {
  const answer = await askSecretd<T>(io.paths.secretOperatorSocket, request);
  return answer.ok === true ? answer.value : null;
}
