// SPDX-License-Identifier: Apache-2.0
import type { Problem } from './declared.ts';

/** One entry of a layer folder: its bytes, or why it cannot be used. */
export type LayerFile = {
  readonly path: string;
  readonly name: string;
  readonly read: { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly message: string };
};

export type EffectiveFile = { readonly path: string; readonly bytes: Uint8Array };

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}\.yaml$/;

export function isAgentFileName(name: string): boolean {
  return FILE_NAME.test(name);
}

/** The same layers with `file` in the strongest in place of the one of that name there; null: with none of that name there. */
export function withStrongest(layers: readonly (readonly LayerFile[])[], name: string, file: LayerFile | null): readonly (readonly LayerFile[])[] {
  const others = (layers.at(-1) ?? []).filter((other) => other.name !== name);
  return [...layers.slice(0, -1), file === null ? others : [...others, file]];
}

/**
 * The files that count, in systemd's manner: a name in a stronger layer replaces the weaker one, an empty file masks it.
 * A file that cannot be used replaces too: were the weaker one to come back, breaking a file would undo what it says.
 */
export function effectiveFiles(
  layers: readonly (readonly LayerFile[])[],
  most: number,
): { readonly files: readonly EffectiveFile[]; readonly problems: readonly Problem[] } {
  const strongest = new Map<string, { readonly file: LayerFile; readonly hides: boolean }>();
  for (const layer of layers) {
    for (const file of layer) strongest.set(file.name, { file, hides: strongest.has(file.name) });
  }
  const files: EffectiveFile[] = [];
  const problems: Problem[] = [];
  for (const name of [...strongest.keys()].sort()) {
    const { file, hides } = strongest.get(name)!;
    const problem = (message: string): void => void problems.push({ file: file.path, line: 1, message });
    if (!file.read.ok) problem(file.read.message);
    else if (file.read.bytes.length === 0) {
      if (!hides) problem('the file is empty and hides no weaker file of this name; remove it or fill it');
    } else if (files.length === most) problem(`there are more than ${most} agent files; this one is left out`);
    else files.push({ path: file.path, bytes: file.read.bytes });
  }
  return { files, problems };
}
