// SPDX-License-Identifier: Apache-2.0
import type { SecretBinding } from '../secret/binding.ts';
import type { DeclaredNet, HostRule } from './host-rule.ts';
import type { NetRefusal } from './egress-wire.ts';
import { refusal } from './net-refusal.ts';
import { isBoundTo } from './placeholders.ts';
import { isPathAllowed, type RequestPath } from './request-path.ts';
import type { Target } from './target.ts';

/** How an agent's traffic to one place is treated. Whether it may go there is holdfastd's word, asked each time. */
export type HostPolicy = Omit<HostRule, 'host'>;

/** A host that was granted and of which the agent's file says nothing: bytes pass, once TLS asks for that name. */
const UNSAID: HostPolicy = { mode: 'tunnel', methods: null, paths: null, responseMax: Number.MAX_SAFE_INTEGER, upgrades: [] };

export function policyFor(net: DeclaredNet, bindings: readonly SecretBinding[], to: Target): HostPolicy {
  const rule = net.rules.find(({ host }) => host === to.host) ?? UNSAID;
  // Only an inspected request can carry a secret, and a tunnel would let a placeholder out that nobody saw.
  return bindings.some((binding) => isBoundTo(binding, to)) ? { ...rule, mode: 'inspect' } : rule;
}

export type AskedRequest = { readonly method: string; readonly path: RequestPath; readonly upgrade: string | null };

/** Null when the agent's file has nothing against it. */
export function whyNotAsked({ host, port }: Target, policy: HostPolicy, asked: AskedRequest): NetRefusal | null {
  const place = port === 443 ? host : `${host}:${port}`;
  if (policy.methods !== null && !policy.methods.includes(asked.method)) {
    return refusal('method', `${asked.method} is not among the methods this agent may use at ${place}: ${policy.methods.join(', ')}`);
  }
  if (!isPathAllowed(asked.path, policy.paths)) {
    const why = asked.path.ambiguous ? 'the path can be read in two ways (an encoded slash, //, or ;), and rules look at paths here' : 'this path is not among those this agent may use';
    return refusal('path', `${why}, at ${place}`);
  }
  if (asked.upgrade !== null && !policy.upgrades.some((known) => known === asked.upgrade)) {
    return refusal('upgrade', `an upgrade to ${asked.upgrade} is not granted at ${place}`);
  }
  return null;
}
