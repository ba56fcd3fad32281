// SPDX-License-Identifier: Apache-2.0
// What seccomp/ says, in the forms that the kernel, systemd and container runtimes take.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compile } from './bpf.ts';
import { cHeader } from './c-header.ts';
import type { Filter, Numbers } from './filter.ts';
import { ociProfile } from './oci.ts';
import { parseFilter, parseNumbers, type ReadFile } from './parse-filter.ts';
import { unitDropIn } from './unit.ts';

/** Loaded by call-init, by name. */
export const CALL_FILTERS = ['call', 'file-tool'];
/** Filter → the unit that has it. The host agent's own services have systemd's @system-service: see SECURITY.md. */
export const UNIT_FILTERS = { agent: 'holdfast-agent@.service', runner: 'holdfast-runner@.service' };
const CONTAINER_FILTER = 'container';

export const readSource: ReadFile = (name) => readFileSync(resolve(import.meta.dirname, '../../seccomp', name), 'utf8');

export function readNumbers(): Numbers {
  return parseNumbers(readSource, 'x86-64.numbers');
}

export function readFilter(name: string): Filter {
  return parseFilter(readSource, name, readNumbers());
}

/** For build.sh: seccomp-filters.h in `dir`. */
export function writeHeader(dir: string): void {
  const numbers = readNumbers();
  // Renamed into place: test workers build at the same time.
  const file = join(dir, 'seccomp-filters.h');
  write(`${file}.${process.pid}`, cHeader(new Map(CALL_FILTERS.map((name) => [name, compile(readFilter(name), numbers)])), numbers));
  renameSync(`${file}.${process.pid}`, file);
}

/** For the image: below `root`, laid out as /. */
export function writeForImage(root: string): void {
  for (const [name, unit] of Object.entries(UNIT_FILTERS)) write(`${root}/usr/lib/systemd/system/${unit}.d/10-system-calls.conf`, unitDropIn(readFilter(name)));
  write(`${root}/usr/lib/holdfast/seccomp.json`, `${JSON.stringify(ociProfile(readFilter(CONTAINER_FILTER)), null, 1)}\n`);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
