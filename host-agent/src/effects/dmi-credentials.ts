// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { readCredentials, type Credentials } from '../config/smbios.ts';
import { errnoOf, readUpTo } from './rooted-files.ts';

const MOST_STRUCTURES = 64;
const MOST_BYTES = 1024 * 1024;

/** Credentials of ours from the kernel's view of SMBIOS type 11 (module dmi-sysfs). No such entries: no credentials. */
export function readDmiCredentials(entries: string): Credentials {
  let names: readonly string[];
  try {
    names = readdirSync(entries).filter((name) => /^11-[0-9]{1,4}$/.test(name)).sort();
  } catch (fault) {
    if (errnoOf(fault) === 'ENOENT') return { values: new Map(), problems: [] };
    throw fault;
  }
  if (names.length > MOST_STRUCTURES) {
    return { values: new Map(), problems: [`more than ${MOST_STRUCTURES} SMBIOS structures of OEM strings; none is used`] };
  }
  return readCredentials(names.map((name) => readRaw(`${entries}/${name}/raw`)));
}

function readRaw(path: string): Uint8Array {
  const file = openSync(path, constants.O_RDONLY);
  try {
    return readUpTo(file, MOST_BYTES + 1);
  } finally {
    closeSync(file);
  }
}
