// SPDX-License-Identifier: Apache-2.0
import { lstatSync, readdirSync } from 'node:fs';
import { errnoOf } from './rooted-files.ts';

/** What files, and files of folders, are now: while it is the same text, none of them was written, replaced, added or removed. Contents are not read. */
export function inputStamp(places: readonly string[]): string {
  return places.flatMap((place) => [standOf(place), ...namesUnder(place).map((name) => `${name} ${standOf(`${place}/${name}`)}`)]).join('\n');
}

function standOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (fault) {
    return errnoOf(fault);
  }
}

/** None of what is no folder. */
function namesUnder(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
