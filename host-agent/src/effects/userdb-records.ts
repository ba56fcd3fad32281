// SPDX-License-Identifier: Apache-2.0
import type { AccountFile } from '../config/accounts.ts';
import { replaceFile, replaceLink, withMadeDirectory } from './rooted-files.ts';

type Folders = { readonly userRecords: string; readonly sshKeys: string };

/** Writes accounts where sshd and nss-systemd look. Each file is whole or not there. */
export function writeAccounts(root: string, folders: Folders, files: readonly AccountFile[]): void {
  withMadeDirectory(root, folders.userRecords, (records) => withMadeDirectory(root, folders.sshKeys, (keys) => {
    for (const file of files) {
      if ('target' in file) replaceLink(records, file.name, file.target);
      else replaceFile(file.in === 'keys' ? keys : records, file.name, file.text, { mode: file.mode });
    }
  }));
}
