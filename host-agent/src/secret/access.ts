// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import type { SecretBinding } from './binding.ts';
import { placeholderOf } from './placeholder.ts';
import type { AccessLevel, SecretRecord, StoreHeader } from './store-header.ts';

/**
 * R44. An agent is `none` (no secret at all), `scoped` (those whose list names it; every agent that nothing was said of) or `full` (every
 * secret, each still for its own hosts only). A secret's `forbid` list wins over all of it.
 */
export function mayUse(header: StoreHeader, secret: SecretRecord, agent: AgentName): boolean {
  if (secret.forbid.includes(agent)) return false;
  switch (levelOf(header, agent)) {
    case 'none':
      return false;
    case 'scoped':
      return secret.agents.includes(agent);
    case 'full':
      return true;
  }
}

export function levelOf(header: StoreHeader, agent: AgentName): AccessLevel {
  return header.levels.find((said) => said.agent === agent)?.level ?? 'scoped';
}

/** For a call (`secret:read`): no host bounds it, so who may read it is all there is. */
export function decideRead(header: StoreHeader, { name, agent }: Pick<Use, 'name' | 'agent'>, wallMs: number): UseDecision {
  const secret = header.secrets.find((known) => known.name === name);
  if (secret === undefined || !mayUse(header, secret, agent)) return NOT_READABLE;
  return isExpired(secret, wallMs) ? expired(secret) : { ok: true, secret };
}

export type Use = { readonly name: string; readonly agent: AgentName; readonly host: string; readonly port: number };
/** `not_bound` says the same of a secret that does not exist and of one that is somebody else's: names cannot be tried out (D13). */
export type UseDecision = { readonly ok: true; readonly secret: SecretRecord } | { readonly ok: false; readonly rule: 'not_bound' | 'expired'; readonly why: string };

const NOT_READABLE = { ok: false, rule: 'not_bound', why: 'no secret of this name is bound to this agent' } as const;
const NOT_BOUND = { ok: false, rule: 'not_bound', why: 'no secret of this name is bound to this agent and this host' } as const;

/** `wallMs` is for expiry alone, which is a date. Every time limit of a permit is on the boot clock. */
export function decideUse(header: StoreHeader, use: Use, wallMs: number): UseDecision {
  const secret = header.secrets.find(({ name }) => name === use.name);
  if (secret === undefined || !mayUse(header, secret, use.agent)) return NOT_BOUND;
  if (!secret.hosts.some(({ host, port }) => host === use.host && port === use.port)) return NOT_BOUND;
  return isExpired(secret, wallMs) ? expired(secret) : { ok: true, secret };
}

function expired(secret: SecretRecord): UseDecision {
  return { ok: false, rule: 'expired', why: `this secret expired at ${secret.expires}; an operator can put a new value: holdfast secret rotate ${secret.name}` };
}

export function isExpired(secret: SecretRecord, wallMs: number): boolean {
  return secret.expires !== null && Date.parse(secret.expires) <= wallMs;
}

/** What is published: each agent by its name, whatever made it one that may. */
export function bindingsOf(header: StoreHeader): readonly SecretBinding[] {
  const full = header.levels.filter(({ level }) => level === 'full').map(({ agent }) => agent);
  return header.secrets.map((secret) => ({
    name: secret.name,
    agents: [...new Set([...secret.agents, ...full])].filter((agent) => mayUse(header, secret, agent)).toSorted(),
    hosts: secret.hosts,
    header: secret.header,
    placeholder: placeholderOf(header.id, secret.name, secret.family),
  }));
}
