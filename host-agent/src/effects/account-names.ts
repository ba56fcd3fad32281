// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

/** The accounts of the image: /etc/passwd and /etc/group, which are under verity. Records made at run time are not among them. */
export type ImageAccounts = {
  /** Names that no seed may use: a key file for one of them would let somebody in as it. */
  readonly names: ReadonlySet<string>;
  readonly uidOf: (name: string) => number | null;
  readonly gidOf: (name: string) => number | null;
};

export function imageAccounts(root: string): ImageAccounts {
  const users = lines(`${root}/etc/passwd`);
  const groups = lines(`${root}/etc/group`);
  const uids = new Map(users.map(([name = '', , uid = '']) => [name, Number(uid)]));
  const gids = new Map(groups.map(([name = '', , gid = '']) => [name, Number(gid)]));
  return {
    names: new Set([...users, ...groups].map(([name = '']) => name)),
    uidOf: (name) => uids.get(name) ?? null,
    gidOf: (name) => gids.get(name) ?? null,
  };
}

function lines(path: string): readonly (readonly string[])[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fault;
  }
  return text.split('\n').filter((line) => line !== '').map((line) => line.split(':'));
}
