// SPDX-License-Identifier: Apache-2.0
import { readFileSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '../config/declared.ts';
import type { LayerFile } from '../config/layers.ts';
import { settingsOf } from '../config/settings-file.ts';
import type { SettingsSaid } from '../config/settings.ts';
import { MAX_FILE_BYTES } from '../config/text-file.ts';
import type { SettingsFilePort } from '../door/operator-settings.ts';
import { accept, refuse } from '../identity/result.ts';
import { writeDurably } from './durable-file.ts';
import type { Paths } from './paths.ts';
import { errnoOf, readOwnedFile, withDirectory } from './rooted-files.ts';

/** What the files of settings say together. `self` is who owns what comes with the image: root, but for a test under a root of its own. */
export function readSettingsLayers(root: string, paths: Paths, self: number, holdfast: number): { readonly said: SettingsSaid; readonly problems: readonly Problem[] } {
  return settingsOf(readLayerFile(root, paths.imageSettings, [0, self]), readLayerFile(root, paths.operatorSettings, [0, self, holdfast]));
}

function readLayerFile(root: string, path: string, owners: readonly number[]): LayerFile | null {
  const unread = (message: string): LayerFile => ({ path, name: basename(path), read: { ok: false, message: `the file is not used: ${message}` } });
  try {
    const read = withDirectory(root, dirname(path), (directory) => readOwnedFile(directory, basename(path), MAX_FILE_BYTES, owners));
    if (read.ok) return { path, name: basename(path), read: { ok: true, bytes: read.bytes } };
    return read.missing ? null : unread(read.message);
  } catch (fault) {
    return errnoOf(fault) === 'ENOENT' ? null : unread(`it cannot be read (${errnoOf(fault)})`);
  }
}

/** The operators' file, in a folder that only holdfastd can write. */
export function operatorSettingsFile(path: string): SettingsFilePort {
  return {
    path,
    read: () => {
      try {
        return accept(readFileSync(path, 'utf8'));
      } catch (fault) {
        return errnoOf(fault) === 'ENOENT' ? accept(null) : refuse(`cannot read ${path} (${errnoOf(fault)})`);
      }
    },
    write: (text) => {
      try {
        if (text === null) unlinkSync(path);
        else writeDurably(path, text, 0o644);
        return accept(null);
      } catch (fault) {
        return text === null && errnoOf(fault) === 'ENOENT' ? accept(null) : refuse(`cannot write ${path} (${errnoOf(fault)})`);
      }
    },
  };
}
