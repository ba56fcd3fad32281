// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

/** In which header of a request the value is put, and what stands around it. */
export type HeaderTemplate = { readonly name: string; readonly template: string };

/** RFC 9110, 5.6.2. */
const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const TEMPLATE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const PLACE = '{}';
const LONGEST = 256;
/** What they say decides where a request begins, ends and goes. */
const NOT_THESE = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'te', 'trailer', 'upgrade', 'proxy-authorization', 'proxy-connection', 'keep-alive', 'expect']);

/** `NAME: TEMPLATE`, in which `{}` is the value. */
export function parseHeaderText(text: string): Result<HeaderTemplate> {
  const colon = text.indexOf(':');
  if (colon < 1) return refuse('a header is written as NAME: TEMPLATE, for example "authorization: Bearer {}"');
  return parseHeaderTemplate({ name: text.slice(0, colon).trim().toLowerCase(), template: text.slice(colon + 1).trim() });
}

export function parseHeaderTemplate({ name, template }: HeaderTemplate): Result<HeaderTemplate> {
  if (!TOKEN.test(name)) return refuse('the name of a header holds only letters, digits and - and is at most 64 characters long');
  if (NOT_THESE.has(name)) return refuse(`the header ${name} says how a request is carried; no secret goes there`);
  if (template.length > LONGEST || !TEMPLATE.test(template)) return refuse(`what stands around the value must be at most ${LONGEST} printable ASCII characters`);
  if (template.split(PLACE).length !== 2) return refuse('{} must stand once where the value goes, for example "authorization: Bearer {}"');
  return accept({ name, template });
}
