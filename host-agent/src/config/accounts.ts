// SPDX-License-Identifier: Apache-2.0
import type { Claim } from './claim.ts';

/** A file or link to be written below one of two folders; names come from checked names and uids only. */
export type AccountFile =
  | { readonly in: 'records' | 'keys'; readonly name: string; readonly mode: number; readonly text: string }
  | { readonly in: 'records'; readonly name: string; readonly target: string };

export type AgentAccount = { readonly agent: string; readonly uid: number; readonly keys: readonly string[] };

// The second lets `holdfast agent logs` read what an agent printed; the restricted shell runs nothing else that could use it.
const OPERATOR_GROUPS = ['hf-operator', 'systemd-journal'];
const SHELL = '/usr/lib/holdfast/login-shell';
/** Root's and empty: nothing in it that a login could read or run. */
const HOME = '/run/holdfast/home';

/**
 * Accounts as systemd-userdb drop-ins (systemd.io/USER_RECORD) and sshd's key files. `hashedPassword` of `*` means no password and an
 * account that is not locked; without it sshd refuses the login.
 */
export function accountFiles(claim: Claim, agents: readonly AgentAccount[]): readonly AccountFile[] {
  const files: AccountFile[] = [];
  for (const { name, uid, keys } of claim.operators) {
    files.push(...user(name, uid, `Operator ${name}`, OPERATOR_GROUPS));
    files.push({ in: 'records', name: `${uid}.user`, target: `${name}.user` });
    files.push({ in: 'records', name: `${uid}.user-privileged`, target: `${name}.user-privileged` });
    files.push(record(`${name}.group`, 0o644, { groupName: name, gid: uid, disposition: 'regular' }));
    files.push({ in: 'records', name: `${uid}.group`, target: `${name}.group` });
    for (const group of OPERATOR_GROUPS) files.push(record(`${name}:${group}.membership`, 0o644, {}));
    files.push(keyFile(name, keys, 'restrict,pty'));
  }
  // The uid of a slot keeps its name of the image (hf-agentNN), so an agent's record has no link by uid and no group.
  for (const { agent, uid, keys } of agents) {
    files.push(...user(`agent-${agent}`, uid, `Agent ${agent}`, []), keyFile(`agent-${agent}`, keys, 'restrict'));
  }
  if (claim.rootKeys.length > 0) files.push(keyFile('root', claim.rootKeys, ''));
  return files;
}

function user(userName: string, uid: number, realName: string, memberOf: readonly string[]): readonly AccountFile[] {
  const open = { userName, uid, gid: uid, realName, disposition: 'regular', homeDirectory: HOME, shell: SHELL, memberOf };
  return [
    record(`${userName}.user`, 0o644, open),
    record(`${userName}.user-privileged`, 0o600, { privileged: { hashedPassword: ['*'] } }),
  ];
}

function record(name: string, mode: number, value: object): AccountFile {
  return { in: 'records', name, mode, text: `${JSON.stringify(value)}\n` };
}

/** sshd(8) AUTHORIZED_KEYS: `restrict` forbids forwarding and user rc files. The options are ours; a seed's are refused. */
function keyFile(name: string, keys: readonly string[], options: string): AccountFile {
  const lines = keys.map((key) => `${options === '' ? '' : `${options} `}${key}\n`);
  return { in: 'keys', name, mode: 0o644, text: lines.join('') };
}
