// SPDX-License-Identifier: Apache-2.0
// The folder of `make run`'s machine holds its disk: the ledger, workspaces, restore points. It is not thrown away for a newer image.
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = 'image-';

/** The disk has come up with the image of this key. */
export function stampImage(dir: string, key: string): void {
  writeFileSync(join(dir, `${STAMP}${key}`), '');
}

/** What lies there: nothing that ever came up, a machine of this image, or one of another. */
export function machineIn(dir: string, key: string): 'none' | 'this image' | 'another image' {
  if (existsSync(join(dir, `${STAMP}${key}`))) return 'this image';
  return imageOf(dir) === null ? 'none' : 'another image';
}

/** Renamed to `machine.old`. There is one such folder: the one before is gone then, which the caller says. */
export function putAside(dir: string): { readonly aside: string; readonly replaced: boolean } {
  const aside = `${dir}.old`;
  const replaced = existsSync(aside);
  rmSync(aside, { recursive: true, force: true });
  renameSync(dir, aside);
  return { aside, replaced };
}

/** Keys of the images that these disks lie over: without its image such a disk says nothing any more. */
export function imagesBelowDisks(cache: string): readonly string[] {
  return ['machine', 'machine.old'].flatMap((name) => imageOf(join(cache, name)) ?? []);
}

function imageOf(dir: string): string | null {
  const stamp = existsSync(dir) ? readdirSync(dir).find((name) => name.startsWith(STAMP)) : undefined;
  return stamp?.slice(STAMP.length) ?? null;
}
