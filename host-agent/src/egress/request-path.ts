// SPDX-License-Identifier: Apache-2.0
import { compileSegments, segmentsCover } from '../capability/glob.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/**
 * One path of a request, read once. `judged` is what rules match and what is recorded; `sent` goes to the host, byte for byte as it came,
 * where the two mean the same to every reader. `ambiguous` is set where readers differ: an encoded slash is a slash to some servers
 * and part of a name to others (npm asks for /@scope%2fname), so such a path passes only where no rule looks at paths.
 */
export type RequestPath = { readonly judged: string; readonly sent: string; readonly ambiguous: boolean };

const LONGEST = 2048;

export function parseRequestPath(text: string): Result<RequestPath> {
  if (text.length > LONGEST) return refuse(`the path is longer than ${LONGEST} characters`);
  const broken = /%(?![0-9A-Fa-f]{2})/.test(text);
  if (broken) return refuse('the path holds a % that encodes nothing');
  // RFC 3986, 6.2.2: case of hex digits and encoded letters mean nothing; everything else encoded stays encoded.
  const judged = text.replace(/%[0-9A-Fa-f]{2}/g, (code) => {
    const plain = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(plain) ? plain : code.toUpperCase();
  });
  if (judged.includes('%00')) return refuse('the path holds NUL');
  if (judged.split(/\/|%2F|%5C/).some((segment) => segment === '.' || segment === '..')) return refuse('the path holds . or .. as a name; write it without them');
  // Encoded twice: a server that decodes twice would see what nobody judged. Tomcat's `..;` likewise.
  const ambiguous = /%2F|%5C|%25|;/.test(judged) || judged.includes('//');
  return accept({ judged, sent: text, ambiguous });
}

/** HostRule.paths, in the words of capabilities: `*` within a segment, `**` one segment or more. */
export function isPathAllowed(path: RequestPath, patterns: readonly string[] | null): boolean {
  if (patterns === null) return true;
  if (path.ambiguous) return false;
  const asked = segmentsOf(path.judged);
  return patterns.some((pattern) => segmentsCover(compileSegments(segmentsOf(pattern)), asked));
}

function segmentsOf(path: string): readonly string[] {
  return path.slice(1).split('/');
}
