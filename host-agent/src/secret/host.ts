// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

export type HostPort = { readonly host: string; readonly port: number };

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const HTTPS = 443;

/**
 * `api.example.com` or `api.example.com:8443`. A name and no pattern: a secret goes to hosts that a person wrote out. No address either:
 * what is all digits at the end would be read as one (R18).
 */
export function parseHostPort(text: string): Result<HostPort> {
  const [, host = '', port = String(HTTPS)] = /^([^:]*)(?::([1-9][0-9]{0,4}))?$/.exec(text) ?? [];
  const labels = host.split('.');
  const named = labels.every((label) => LABEL.test(label)) && host.length <= 253 && labels.length >= 2 && !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '');
  if (!named) return refuse(`"${text}" is no host that a secret can be bound to; write a full name in lower case, without * and without a final dot: api.example.com or api.example.com:8443`);
  if (Number(port) > 65_535) return refuse(`"${text}" has no port of 1 to 65535`);
  return accept({ host, port: Number(port) });
}

export function showHostPort({ host, port }: HostPort): string {
  return port === HTTPS ? host : `${host}:${port}`;
}
