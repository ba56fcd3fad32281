// SPDX-License-Identifier: Apache-2.0
import { agentOfFolder, DROP_IN, isDropInFolder, SECRETS_DROP_IN, type UnitFile } from '../config/units.ts';
import {
  errnoOf, namesIn, readOwnedFile, removeEmptyDirectory, removeName, replaceFile, withDirectory, withMadeDirectory,
} from './rooted-files.ts';

export type UnitChanges = {
  /** Folders (`UNIT.d`) whose drop-in is new, different or gone. */
  readonly written: readonly string[];
  /** Those of them that had another text before. */
  readonly replaced: readonly string[];
  readonly removed: readonly string[];
  /** Those of which only what agents see in the place of secrets has changed: for the next start of what runs. */
  readonly later: readonly string[];
};

const MOST_BYTES = 1024 * 1024;

/** Makes the drop-ins below `units` be exactly `wanted`. Other files there, and folders of other units, are not touched. */
export function syncUnits(root: string, units: string, wanted: readonly UnitFile[], self: number): UnitChanges {
  const written: string[] = [];
  const replaced: string[] = [];
  const later: string[] = [];
  for (const { path, text } of wanted) {
    const [folder = '', file = ''] = path.split('/');
    if (!isDropInFolder(folder) || (file !== DROP_IN && file !== SECRETS_DROP_IN)) throw new Error(`not a drop-in of ours: ${path}`);
    withMadeDirectory(root, `${units}/${folder}`, (directory) => {
      const old = readOwnedFile(directory, file, MOST_BYTES, [self]);
      if (old.ok && Buffer.from(old.bytes).toString('utf8') === text) return;
      replaceFile(directory, file, text, { mode: 0o644 });
      if (file === SECRETS_DROP_IN) return void later.push(folder);
      written.push(folder);
      if (old.ok) replaced.push(folder);
    });
  }
  const keep = new Set(wanted.map(({ path }) => path.split('/')[0]));
  const withSecrets = new Set(wanted.map(({ path }) => path).filter((path) => path.endsWith(`/${SECRETS_DROP_IN}`)).map((path) => path.split('/')[0]));
  const declared = declaredFolders(root, units);
  const removed = declared.filter((folder) => !keep.has(folder));
  for (const folder of removed) removeDropIn(root, units, folder);
  for (const folder of declared.filter((folder) => keep.has(folder) && !withSecrets.has(folder))) {
    if (removedFrom(root, `${units}/${folder}`, SECRETS_DROP_IN)) later.push(folder);
  }
  return { written, replaced, removed, later };
}

function removedFrom(root: string, folder: string, name: string): boolean {
  return withDirectory(root, folder, (directory) => {
    if (!namesIn(directory).includes(name)) return false;
    removeName(directory, name);
    return true;
  });
}

/** Agents that have drop-ins now: those declared at the last run. */
export function agentsWithUnits(root: string, units: string): readonly string[] {
  const agents = declaredFolders(root, units).map(agentOfFolder).filter((name) => name !== null);
  return [...new Set(agents)];
}

function declaredFolders(root: string, units: string): readonly string[] {
  const folders = withMadeDirectory(root, units, (directory) => namesIn(directory).filter(isDropInFolder));
  return folders.filter((folder) => withDirectory(root, `${units}/${folder}`, (directory) => namesIn(directory).includes(DROP_IN)));
}

function removeDropIn(root: string, units: string, folder: string): void {
  for (const name of [DROP_IN, SECRETS_DROP_IN]) removedFrom(root, `${units}/${folder}`, name);
  withDirectory(root, units, (directory) => {
    try {
      removeEmptyDirectory(directory, folder);
    } catch (fault) {
      // Somebody else's drop-in for the same unit stays, and so does its folder.
      if (errnoOf(fault) !== 'ENOTEMPTY') throw fault;
    }
  });
}
