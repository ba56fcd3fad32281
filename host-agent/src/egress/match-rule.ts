// SPDX-License-Identifier: Apache-2.0
import { compileSegments, segmentsCover } from '../capability/glob.ts';
import type { NetAsk } from './egress-wire.ts';
import type { DeclaredNet, HostRule } from './host-rule.ts';

export function ruleFor(net: DeclaredNet, host: string): HostRule | null {
  return net.rules.find((rule) => rule.host === host) ?? null;
}

/** What a host's rule has against a way out; null when it has nothing. A host without one is reached as its capability says. */
export function ruleProblem(rule: HostRule | null, ask: NetAsk): { readonly rule: string; readonly message: string } | null {
  if (ask.upgrade !== null && !(rule?.upgrades ?? []).some((upgrade) => upgrade === ask.upgrade)) {
    return { rule: 'host.upgrade', message: `A connection to ${ask.host} may not become a ${ask.upgrade}: the agent's file does not say so (net.hosts: upgrades).` };
  }
  if (rule === null) return null;
  if (ask.what === 'tunnel') {
    if (rule.mode === 'tunnel') return null;
    return { rule: 'host.inspect', message: `Requests to ${ask.host} are read one by one, and a tunnel to it cannot be: trust the machine's certificate, which your environment names.` };
  }
  if (rule.methods !== null && !rule.methods.includes(ask.method ?? '')) {
    return { rule: 'host.method', message: `Only ${rule.methods.join(', ')} may be sent to ${ask.host}, not ${ask.method}.` };
  }
  if (rule.paths !== null && !rule.paths.some((pattern) => pathMatches(pattern, ask.path ?? ''))) {
    return { rule: 'host.path', message: `Of ${ask.host} only these paths may be asked for: ${rule.paths.join(', ')}.` };
  }
  return null;
}

/** As of capabilities' paths, but a final slash counts. What a server could read as another path matches nothing (F05). */
export function pathMatches(pattern: string, path: string): boolean {
  if (!path.startsWith('/') || /[\\?#\s]|%(?:2e|2f|5c|00)/i.test(path)) return false;
  const segments = path.slice(1).split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) return false;
  return segmentsCover(compileSegments(pattern.slice(1).split('/')), segments);
}
