// SPDX-License-Identifier: Apache-2.0
import type { Filter } from './filter.ts';

const ACROSS = 12;

/**
 * The drop-in of a unit. Systemd cannot look at arguments here: what the source allows under a condition is allowed, and
 * other settings of the unit keep the conditions. Everything else is refused with EPERM.
 */
export function unitDropIn(filter: Filter): string {
  const names = reachedInUnit(filter);
  const lines = Array.from({ length: Math.ceil(names.length / ACROSS) }, (_, i) => names.slice(i * ACROSS, (i + 1) * ACROSS).join(' '));
  const filters = lines.map((line) => `SystemCallFilter=${line}`);
  return [`# Made from seccomp/${filter.name}.filter, where each has its reason.`, '[Service]', ...filters, 'SystemCallErrorNumber=EPERM', ''].join('\n');
}

export function reachedInUnit(filter: Filter): readonly string[] {
  return [...filter.decisions].filter(([, { kind }]) => kind !== 'refuse').map(([name]) => name).sort();
}
