// SPDX-License-Identifier: Apache-2.0
// The seed of a machine: who its operators are. It reaches the machine as SMBIOS strings, which QEMU reads from files.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type KeyPair = { readonly file: string; readonly public: string };

/** Makes an ed25519 key in `dir` unless it is there. */
export function keyPair(dir: string, name: string): KeyPair {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, name);
  if (!existsSync(file)) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  const [type, key] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  return { file, public: `${type} ${key!.trim()}` };
}

export type Seed = {
  readonly operators: readonly { readonly name: string; readonly roles: readonly string[]; readonly keys: readonly string[] }[];
  /** Keys that open an agent's door over ssh. */
  readonly agentKeys: readonly { readonly agent: string; readonly keys: readonly string[] }[];
  /** Keys of root, for looking at the machine from outside in tests. */
  readonly rootKeys?: readonly string[];
};

/** Writes the seed's credentials as files for `-smbios type=11,path=`; answers their names. */
export function seedFiles(dir: string, seed: Seed): string[] {
  const list = (key: string, rows: readonly object[]) => (rows.length === 0 ? '' : `${key}:\n${rows.map((r) => `  - ${JSON.stringify(r)}\n`).join('')}`);
  const yaml = list('operators', seed.operators) + list('agent-keys', seed.agentKeys);
  const credentials: [string, string][] = [['holdfast.seed', yaml]];
  if (seed.rootKeys) credentials.push(['holdfast.root-keys', `${seed.rootKeys.join('\n')}\n`]);
  return credentials.map(([name, text]) => {
    const file = join(dir, `${name}.credential`);
    writeFileSync(file, `io.systemd.credential.binary:${name}=${Buffer.from(text).toString('base64')}`, { mode: 0o600 });
    return file;
  });
}
