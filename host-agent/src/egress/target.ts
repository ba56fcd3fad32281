// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { parseHost, type Host } from './host.ts';

/** Where a request wants to go. */
export type Target = { readonly host: Host; readonly port: number };
export type WebTarget = Target & { readonly path: string; readonly query: string };

const PORT = /^[1-9][0-9]{0,4}$/;
const PORT_MAX = 65_535;
export const HTTP_PORT = 80;
export const HTTPS_PORT = 443;

/** RFC 9112, 3.2.3: authority-form is host and port and nothing else, and the port is not left out. */
export function parseConnectTarget(text: string): Result<Target> {
  const cut = splitPort(text);
  if (cut === null || cut.port === null) return refuse(`cannot connect to ${shown(text)}: CONNECT needs HOST:PORT`);
  return targetOf(text, cut.host, cut.port);
}

/** RFC 9112, 3.2.2: absolute-form. Only http: what is https comes by CONNECT, or the agent's program would send it unprotected to us. */
export function parseAbsoluteTarget(text: string): Result<WebTarget> {
  if (!/^http:\/\//i.test(text)) return refuse(`cannot request ${shown(text)}: a proxy is asked with CONNECT, or for a whole http:// address`);
  const rest = text.slice('http://'.length);
  const end = rest.search(/[/?#\\]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  const cut = splitPort(authority);
  if (cut === null) return refuse(`cannot request ${shown(text)}: ${shown(authority)} is not HOST or HOST:PORT`);
  const target = targetOf(authority, cut.host, cut.port ?? String(HTTP_PORT));
  if (!target.ok) return target;
  const asked = parseOriginForm(end === -1 || rest[end] === '?' ? `/${end === -1 ? '' : rest.slice(end)}` : rest.slice(end));
  return asked.ok ? accept({ ...target.value, ...asked.value }) : asked;
}

/** RFC 9112, 3.2.1. What comes back is as it came; request-path.ts reads the path. */
export function parseOriginForm(text: string): Result<{ readonly path: string; readonly query: string }> {
  if (!text.startsWith('/')) return refuse('cannot request this: the path must start with /');
  // RFC 3986: all that may stand in path and query. A fragment never travels; a backslash is a slash to some readers.
  const wrong = /[^A-Za-z0-9\-._~:/?@!$&'()*+,;=%[\]|^`{}"<>]/.exec(text)?.[0];
  if (wrong !== undefined) return refuse(`cannot request this: the address holds ${JSON.stringify(wrong)}`);
  const at = text.indexOf('?');
  return accept(at === -1 ? { path: text, query: '' } : { path: text.slice(0, at), query: text.slice(at) });
}

/** RFC 9112, 3.2: Host must be what the target says, and a request that says two hosts is refused. */
export function isHostHeader(header: string, target: Target, defaultPort: number): boolean {
  const cut = splitPort(header);
  if (cut === null) return false;
  const parsed = targetOf(header, cut.host, cut.port ?? String(defaultPort));
  return parsed.ok && parsed.value.host === target.host && parsed.value.port === target.port;
}

function splitPort(text: string): { readonly host: string; readonly port: string | null } | null {
  const found = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(text);
  return found === null ? null : { host: found[1]!, port: found[2] ?? null };
}

function targetOf(text: string, hostText: string, portText: string): Result<Target> {
  const host = parseHost(hostText);
  if (!host.ok) return refuse(`cannot reach ${shown(text)}: ${host.error}`);
  const port = PORT.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > PORT_MAX) return refuse(`cannot reach ${shown(text)}: the port must be a number from 1 to ${PORT_MAX}`);
  return accept({ host: host.value, port });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
