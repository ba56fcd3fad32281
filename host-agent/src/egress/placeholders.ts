// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { SecretBinding } from '../secret/binding.ts';
import type { Header } from './headers.ts';
import type { Target } from './target.ts';

/** A header whose value will be put in the placeholder's place, on its way out and nowhere before. */
export type Slot = { readonly secret: string; readonly header: string; readonly before: string; readonly after: string };

/**
 * R49. A placeholder stands in the one header it was bound to, in its whole form, on the way to a host it was bound to: then it is a slot.
 * Anywhere else in the head of a request it is refused: a program that sends it there would have sent the key. In bodies it stays: what
 * travels is only a placeholder, and a program may well talk about one.
 */
export function slotsOf(headers: readonly Header[], url: string, to: Target, bindings: readonly SecretBinding[]): Result<readonly Slot[]> {
  const slots: Slot[] = [];
  for (const binding of bindings) {
    if (binding.placeholder === '') continue;
    if (isIn(url, binding.placeholder)) return refuse(misplaced(binding, 'in the address'));
    for (const [name, value] of headers) {
      if (name.includes(binding.placeholder)) return refuse(misplaced(binding, 'in the name of a header'));
      if (!value.includes(binding.placeholder)) continue;
      if (!isBoundTo(binding, to)) return refuse(misplaced(binding, `in a request to ${to.host}:${to.port}`));
      const slot = name.toLowerCase() === binding.header.name ? slotOf(binding, value) : null;
      if (slot === null) return refuse(misplaced(binding, `in the header ${name.slice(0, 40)}, or not in its whole form`));
      if (slots.some((known) => known.header === slot.header)) return refuse(misplaced(binding, `twice in the header ${slot.header}`));
      slots.push(slot);
    }
  }
  return accept(slots);
}

export function isBoundTo(binding: SecretBinding, { host, port }: Target): boolean {
  return binding.hosts.some((bound) => bound.host === host && bound.port === port);
}

function slotOf({ name, header, placeholder }: SecretBinding, value: string): Slot | null {
  const [before, after, more] = header.template.split('{}');
  if (before === undefined || after === undefined || more !== undefined) return null;
  // RFC 9110, 11.1: the scheme's name (`Bearer`) is in any case.
  const same = value.length === before.length + placeholder.length + after.length && value.toLowerCase().startsWith(before.toLowerCase());
  return same && value.slice(before.length) === `${placeholder}${after}` ? { secret: name, header: header.name, before, after } : null;
}

/** Also percent-encoded, as URLs carry it. */
function isIn(url: string, placeholder: string): boolean {
  if (url.includes(placeholder)) return true;
  if (!url.includes('%')) return false;
  return url.replace(/%[0-7][0-9A-Fa-f]/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16))).includes(placeholder);
}

function misplaced({ name, hosts, header }: SecretBinding, where: string): string {
  const bound = hosts.map(({ host, port }) => (port === 443 ? host : `${host}:${port}`)).join(', ');
  return `the placeholder of secret ${name} stands ${where}; it is only put into the header ${header.name}, as ${JSON.stringify(header.template)}, of requests to ${bound}`;
}
