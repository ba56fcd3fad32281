// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { accept, type Result } from '../identity/result.ts';
import type { SecretBinding } from '../secret/binding.ts';
import type { NetRefusal } from './egress-wire.ts';
import { readRequestHeaders, type RequestHeaders } from './headers.ts';
import type { DeclaredNet } from './host-rule.ts';
import { policyFor, whyNotAsked, type HostPolicy } from './net-policy.ts';
import { refusal, type OwnRule } from './net-refusal.ts';
import { slotsOf, type Slot } from './placeholders.ts';
import { parseRequestPath, type RequestPath } from './request-path.ts';
import { HTTP_PORT, HTTPS_PORT, isHostHeader, parseAbsoluteTarget, parseOriginForm, type Target, type WebTarget } from './target.ts';

/** What holdfast-declare says of an agent, as far as it is about its ways out. */
export type NetAgent = { readonly name: AgentName; readonly net: DeclaredNet; readonly secrets: readonly SecretBinding[] };

/** As Node's parser gives it. */
export type SentRequest = { readonly method: string; readonly url: string; readonly httpVersion: string; readonly rawHeaders: readonly string[] };

/** Where it came in: inside TLS that was ended here for one place, or at the proxy itself. */
export type Entrance = { readonly to: Target; readonly secure: true } | { readonly to: null; readonly secure: false };

/** A request that was understood, and that the agent's file has nothing against. Whether it may go is still to be asked. */
export type ReadRequest = {
  readonly to: Target;
  readonly secure: boolean;
  readonly method: string;
  readonly path: RequestPath;
  readonly query: string;
  readonly headers: RequestHeaders;
  readonly policy: HostPolicy;
  readonly slots: readonly Slot[];
};

/** `to`: where it would have gone, once that was understood. */
export type RequestRead = { readonly ok: true; readonly value: ReadRequest } | { readonly ok: false; readonly refusal: NetRefusal; readonly to: Target | null };

const METHOD = /^[A-Z][A-Z-]{0,23}$/;
/** TRACE would show a program the headers that we put in (RFC 9110, 9.3.8). */
const METHODS_REFUSED = ['CONNECT', 'TRACE', 'TRACK'];
const URL_MAX = 16_384;

export function readRequest(sent: SentRequest, entrance: Entrance, agent: NetAgent): RequestRead {
  if (sent.httpVersion !== '1.1') return no('bad_request', `this proxy speaks HTTP/1.1, not ${sent.httpVersion}`);
  if (!METHOD.test(sent.method) || METHODS_REFUSED.includes(sent.method)) return no('bad_request', `the method ${sent.method.slice(0, 30)} does not pass here`);
  if (sent.url.length > URL_MAX) return no('bad_request', `the address is longer than ${URL_MAX} characters`);
  const headers = readRequestHeaders(sent.rawHeaders);
  if (!headers.ok) return no('bad_request', headers.error);
  const asked = askedOf(sent.url, entrance);
  if (!asked.ok) return no('bad_target', asked.error);
  const to: Target = { host: asked.value.host, port: asked.value.port };
  const { host } = headers.value;
  if (host === null || !isHostHeader(host, to, entrance.secure ? HTTPS_PORT : HTTP_PORT)) {
    return no('host_mismatch', `the Host header must name ${to.host}, where the request goes`, to);
  }
  const path = parseRequestPath(asked.value.path);
  if (!path.ok) return no('bad_request', path.error, to);
  const policy = policyFor(agent.net, agent.secrets, to);
  const against = whyNotAsked(to, policy, { method: sent.method, path: path.value, upgrade: headers.value.upgrade });
  if (against !== null) return { ok: false, refusal: against, to };
  const slots = slotsOf(headers.value.kept, `${asked.value.path}${asked.value.query}`, to, agent.secrets);
  if (!slots.ok) return no('placeholder', slots.error, to);
  // Whoever stands between could read it; an operator who binds a secret to port 80 has made a mistake.
  if (slots.value.length > 0 && !entrance.secure) return no('placeholder', `a secret is only sent within TLS: ask for https://${to.host}`, to);
  return { ok: true, value: { to, secure: entrance.secure, method: sent.method, path: path.value, query: asked.value.query, headers: headers.value, policy, slots: slots.value } };
}

function askedOf(url: string, { to }: Entrance): Result<WebTarget> {
  if (to === null) return parseAbsoluteTarget(url);
  const asked = parseOriginForm(url);
  return asked.ok ? accept({ ...to, ...asked.value }) : asked;
}

function no(rule: OwnRule, message: string, to: Target | null = null): RequestRead {
  return { ok: false, refusal: refusal(rule, message), to };
}
