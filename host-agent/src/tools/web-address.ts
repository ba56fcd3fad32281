// SPDX-License-Identifier: Apache-2.0
import { isHostName } from '../egress/host-name.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/** Where a request goes, read once: what is judged is what is asked for (F05). `path` with its query; `shown` is without. */
export type WebAddress = {
  readonly url: string;
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly shown: string;
};

/**
 * By the WHATWG's reading, which is that of browsers and Node; and then only what has one reading for everybody. Plain HTTP is on port
 * 80 alone, so that net:connect:HOST:80 is what grants it.
 */
export function readWebAddress(text: string): Result<WebAddress> {
  // The parser drops tabs and newlines and turns backslashes; who writes them means something else than what is seen.
  if (!/^[!-~]+$/.test(text)) return refuse('must be printable ASCII without spaces: write other characters as %XX, and international names as xn--');
  if (text.includes('\\')) return refuse('must not hold a backslash');
  if (!/^https?:\/\//.test(text)) return refuse('must begin with https:// (or http://)');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse('is not a URL');
  }
  const authority = text.slice(text.indexOf('//') + 2).split(/[/?#]/)[0]!;
  if (authority.includes('@') || url.username !== '' || url.password !== '') return refuse('must not hold a user or password before the host');
  if (!isHostName(url.hostname)) return refuse('its host must be a name in small letters without a final dot, or an IPv4 address');
  if (authority.split(':')[0] !== url.hostname) return refuse(`its host is read as ${url.hostname}; write it so`);
  if (url.hash !== '' || text.includes('#')) return refuse('must not hold a # part: it is not sent');
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (scheme === 'https' ? '443' : '80') : url.port;
  if (port === '0') return refuse('its port must be 1 to 65535');
  if (scheme === 'http' && port !== '80') return refuse('without TLS only port 80 is reached; use https://');
  return accept({ url: url.href, scheme, host: url.hostname, port, path: `${url.pathname}${url.search}`, shown: url.pathname });
}
