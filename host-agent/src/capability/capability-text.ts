// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

/** Attack case A08: beyond these a text is refused before anything looks at its structure. */
const MAX_BYTES = 4096;
const MAX_STARS = 64;

const NAME = /^[a-z0-9_.-]+$/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// Zero-width, bidirectional and line-separator characters: they make a pattern read differently from what it is (A05, B20).
const DECEIVING = /[\p{Cf}\p{Zl}\p{Zp}]/u;

/** The three parts of `namespace:action[:resource]`. The resource keeps its colons; it is null when there is none. */
export type CapabilityParts = { readonly namespace: string; readonly action: string; readonly resource: string | null };

/** Text that may stand in a request: any name a file can have, except what cannot be written down unambiguously (A04, A05). */
export function checkText(text: string): Result<string> {
  if (text.length > MAX_BYTES) return refuse(`it is longer than ${MAX_BYTES} bytes`);
  if (!text.isWellFormed()) return refuse('it holds a lone surrogate, which is no character');
  if (CONTROL.test(text)) return refuse('it holds NUL or another control character');
  const bytes = text.length * 3 <= MAX_BYTES ? 0 : new TextEncoder().encode(text).length;
  return bytes > MAX_BYTES ? refuse(`it is longer than ${MAX_BYTES} bytes`) : accept(text);
}

/** Text that an operator grants or a file declares: what is seen must be what is held. */
export function checkPatternText(text: string): Result<string> {
  const plain = checkText(text);
  if (!plain.ok) return plain;
  if (DECEIVING.test(text)) return refuse('it holds an invisible or direction-changing character; write * in its place');
  if (countStars(text) > MAX_STARS) return refuse(`it holds more than ${MAX_STARS} of *`);
  return accept(text);
}

export function splitCapability(text: string): Result<CapabilityParts> {
  const first = text.indexOf(':');
  if (first === -1) return refuse('it must be namespace:action or namespace:action:resource');
  const second = text.indexOf(':', first + 1);
  const namespace = text.slice(0, first);
  const action = second === -1 ? text.slice(first + 1) : text.slice(first + 1, second);
  const resource = second === -1 ? null : text.slice(second + 1);
  return checkNames({ namespace, action, resource });
}

export function checkNames(parts: CapabilityParts): Result<CapabilityParts> {
  if (!NAME.test(parts.namespace)) return refuse('its namespace must be made of a-z, 0-9, _, . and -');
  if (!NAME.test(parts.action)) return refuse('its action must be made of a-z, 0-9, _, . and -');
  if (parts.resource === '') return refuse('its resource is empty; leave out the last colon if there is none');
  return accept(parts);
}

function countStars(text: string): number {
  let stars = 0;
  for (let at = text.indexOf('*'); at !== -1; at = text.indexOf('*', at + 1)) stars += 1;
  return stars;
}
