// SPDX-License-Identifier: Apache-2.0
import type { Command, Operand, Option } from './command.ts';

const SECRET: Operand = { name: 'NAME' };
const NO_VALUE: Operand = {
  name: 'VALUE',
  never: 'a value does not go on the command line, where the list of processes and histories show it: type it when asked, or give it on standard input. The one you wrote may have been seen: make a new one at its vendor',
};
const SOURCE: Operand = { name: 'SOURCE' };
const AGENTS: Option = { name: 'agent', value: 'AGENT[,AGENT]', help: 'who may use it' };
const HOSTS: Option = { name: 'host', value: 'HOST[:PORT][,…]', help: 'where it goes, and nowhere else; port 443 unless said' };
const FORBID: Option = { name: 'forbid', value: 'AGENT[,AGENT]', help: 'who may not, whatever else is said' };
const HEADER: Option = { name: 'header', value: "'NAME: TEMPLATE'", help: "in which header, {} being the value (default: what its vendor uses, else 'authorization: Bearer {}')" };
const EXPIRES: Option = { name: 'expires', value: 'DAY', help: 'handed out until the end of that day (UTC), for example 2027-03-31' };
const JSON_OPTION: Option = { name: 'json', value: null, help: 'print JSON, one value a line' };

/** `holdfast secret …`: spoken with holdfast-secretd itself, so that no value passes through holdfastd. */
export const SECRET_COMMANDS: readonly Command[] = [
  {
    words: ['secret', 'init'],
    operands: [],
    options: [],
    summary: 'make the store of secrets: asks for a passphrase, shows a recovery code once',
    examples: ['ssh -t ops@box holdfast secret init'],
    run: async (io) => (await import('./secret.ts')).secretInit(io),
  },
  {
    words: ['secret', 'unlock'],
    operands: [],
    options: [],
    summary: 'open the secrets after a start of the machine, with the passphrase or the recovery code',
    examples: ['ssh -t ops@box holdfast secret unlock', 'ssh ops@box holdfast secret unlock <passphrase'],
    run: async (io) => (await import('./secret.ts')).secretUnlock(io),
  },
  {
    words: ['secret', 'lock'],
    operands: [],
    options: [],
    summary: 'close the secrets now: no request gets one until they are unlocked',
    examples: ['holdfast secret lock'],
    run: async (io) => (await import('./secret.ts')).secretLock(io),
  },
  {
    words: ['secret', 'status'],
    operands: [],
    options: [JSON_OPTION],
    summary: 'whether secrets are open, and which are too old or expired',
    examples: ['holdfast secret status'],
    run: async (io, given) => (await import('./secret.ts')).secretStatus(io, given),
  },
  {
    words: ['secret', 'set'],
    operands: [SECRET, NO_VALUE],
    options: [
      { ...AGENTS, required: true },
      { ...HOSTS, required: true },
      FORBID,
      HEADER,
      EXPIRES,
      { name: 'from', value: 'SOURCE:MOUNT/PATH#FIELD', help: 'where its value is read when it is used, instead of being kept here' },
      { name: 'rotate-every', value: 'DAYS', help: 'status says when it is older (default: the setting secrets.rotateAfter)' },
    ],
    summary: 'keep a secret that an agent may use and never sees; its value is typed without being shown, or comes on standard input',
    examples: ['ssh -t ops@box holdfast secret set ANTHROPIC_API_KEY --agent coder --host api.anthropic.com', 'ssh ops@box holdfast secret set NPM_TOKEN --agent coder --host registry.npmjs.org <token', 'holdfast secret set NPM_TOKEN --from vault:kv/team/npm#token --agent coder --host registry.npmjs.org'],
    run: async (io, given) => (await import('./secret.ts')).secretSet(io, given),
  },
  {
    words: ['secret', 'rotate'],
    operands: [SECRET, NO_VALUE],
    options: [{ name: 'grace', value: 'HOURS', help: 'how long the old value is still known as a secret (default: the setting secrets.grace)' }, EXPIRES],
    summary: 'give a secret a new value; every request from then on gets it',
    examples: ['ssh -t ops@box holdfast secret rotate ANTHROPIC_API_KEY'],
    run: async (io, given) => (await import('./secret.ts')).secretRotate(io, given),
  },
  {
    words: ['secret', 'list'],
    operands: [],
    options: [JSON_OPTION],
    summary: 'the secrets and who may use them where; values are never shown',
    examples: ['holdfast secret list'],
    run: async (io, given) => (await import('./secret.ts')).secretList(io, given),
  },
  {
    words: ['secret', 'access'],
    operands: [{ name: 'NAME|AGENT' }, { name: 'none|scoped|full', optional: true }],
    options: [AGENTS, HOSTS, FORBID, HEADER],
    summary: 'show or change who may use a secret where; or give an agent none, those that name it (scoped), or every one (full)',
    examples: ['holdfast secret access ANTHROPIC_API_KEY --agent coder,tester', 'holdfast secret access coder none'],
    run: async (io, given) => (await import('./secret.ts')).secretAccess(io, given),
  },
  {
    words: ['secret', 'remove'],
    operands: [SECRET],
    options: [],
    summary: 'forget a secret',
    examples: ['holdfast secret remove NPM_TOKEN'],
    run: async (io, given) => (await import('./secret.ts')).secretRemove(io, given),
  },
  {
    words: ['secret', 'source', 'add'],
    operands: [SOURCE, NO_VALUE],
    options: [
      { name: 'url', value: 'https://HOST[:PORT]', required: true, help: 'where it is; its certificate must be for this host' },
      { name: 'namespace', value: 'NAMESPACE', help: 'of it, where it has any' },
      { name: 'address', value: 'ADDRESS', help: 'the IPv4 address it has, which may be a private one; without it the host is asked of DNS and must be public' },
      { name: 'cache', value: 'SECONDS', help: 'the longest that a value is used without reading it anew, 0 to 3600 (default 60)' },
    ],
    summary: 'let secrets come from Vault or OpenBao (KV version 2); its token is typed without being shown, or comes on standard input',
    examples: ['ssh -t ops@box holdfast secret source add vault --url https://vault.example.com:8200', 'ssh ops@box holdfast secret source add vault --url https://vault.example.com:8200 --address 10.0.0.5 <token'],
    run: async (io, given) => (await import('./secret-source.ts')).sourceAdd(io, given),
  },
  {
    words: ['secret', 'source', 'token'],
    operands: [SOURCE, NO_VALUE],
    options: [],
    summary: 'give a source a new token',
    examples: ['ssh -t ops@box holdfast secret source token vault'],
    run: async (io, given) => (await import('./secret-source.ts')).sourceToken(io, given),
  },
  {
    words: ['secret', 'source', 'ca'],
    operands: [SOURCE],
    options: [],
    summary: 'trust an authority of your own for a source: its certificates (PEM) come on standard input',
    examples: ['ssh ops@box holdfast secret source ca vault <ca.pem'],
    run: async (io, given) => (await import('./secret-source.ts')).sourceCa(io, given),
  },
  {
    words: ['secret', 'source', 'list'],
    operands: [],
    options: [JSON_OPTION],
    summary: 'the sources, what comes from them and what their tokens are worth; tokens are never shown',
    examples: ['holdfast secret source list'],
    run: async (io, given) => (await import('./secret-source.ts')).sourceList(io, given),
  },
  {
    words: ['secret', 'source', 'remove'],
    operands: [SOURCE],
    options: [],
    summary: 'forget a source that nothing comes from',
    examples: ['holdfast secret source remove vault'],
    run: async (io, given) => (await import('./secret-source.ts')).sourceRemove(io, given),
  },
  {
    words: ['secret', 'key'],
    operands: [{ name: 'passphrase|recovery|credential' }],
    options: [{ name: 'remove', value: null, help: 'of the credential: this machine opens them by itself no more' }],
    summary: 'replace what opens the store, while it is open; credential: the machine itself, by a key sealed to its TPM 2.0 or the one it was given',
    examples: ['ssh -t ops@box holdfast secret key passphrase', 'holdfast secret key recovery', 'holdfast secret key credential', 'holdfast secret key credential --remove'],
    run: async (io, given) => (await import('./secret.ts')).secretKey(io, given),
  },
];
