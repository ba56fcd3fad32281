// SPDX-License-Identifier: Apache-2.0
// The checked-in answers to what an audit finds: one line each, with the reason. A finding that has none is a failure.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

function lines(file: string): string[] {
  const text = readFileSync(join(import.meta.dirname, file), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function parsed(file: string, form: RegExp): Record<string, string>[] {
  return lines(file).map((line) => {
    const groups = form.exec(line)?.groups;
    if (groups === undefined) throw new Error(`tests/audit/${file}: not a line of its form: ${line}`);
    return groups as Record<string, string>;
  });
}

export type UnitLine = { readonly unit: string; readonly most: number; readonly reason: string };

export function unitLines(): UnitLine[] {
  return parsed('units.txt', /^(?<unit>\S+) (?<most>\d+\.\d) (?<reason>.+)$/).map(({ unit, most, reason }) => ({ unit: unit!, most: Number(most), reason: reason! }));
}

export type KernelLine = {
  readonly kind: 'sysctl' | 'cmdline';
  readonly name: string;
  readonly recommended: string;
  /** What this machine has; `-` for a word that is not on the command line. */
  readonly ours: string;
  /** Empty where the recommendation is followed. */
  readonly reason: string;
};

export function kernelLines(): KernelLine[] {
  return parsed('kernel.txt', /^(?<kind>sysctl|cmdline) (?<name>\S+) (?<want>\S+) (?<source>[^:]+)(?:: (?<ours>\S+) because (?<reason>.+))?$/).map((line) => ({
    kind: line['kind'] as KernelLine['kind'], name: line['name']!, recommended: line['want']!, ours: line['ours'] ?? line['want']!, reason: line['reason'] ?? '',
  }));
}

export type LynisLine = { readonly test: string; readonly about: string; readonly reason: string };

/** `about` is part of what Lynis says, where one of its tests says several things; empty for all of them. */
export function lynisLines(): LynisLine[] {
  return parsed('lynis.txt', /^(?<test>[A-Z]+(?:-\d+)?)(?: "(?<about>[^"]+)")? (?<reason>.+)$/).map(({ test, about, reason }) => ({ test: test!, about: about ?? '', reason: reason! }));
}
