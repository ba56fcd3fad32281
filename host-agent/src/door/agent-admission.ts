// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../config/declared.ts';
import { isSameLabel } from '../sandbox/label.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/** What the kernel says of the process that connected (SO_PEERCRED, SO_PEERPIDFD, /proc/PID/cgroup and attr/current). Never a field of a message (A17). */
export type AdmissionFacts = { readonly pid: number; readonly uid: number; readonly cgroup: string; readonly label: string };

/** `agent`: the program that the agent's own unit runs. `remote`: `holdfast mcp` behind a login with the agent's key. */
export type Via = 'agent' | 'remote';

/** The agent, its runner and its calls share one uid; only the control group tells them apart (B02). */
export function admit(agent: Pick<DeclaredAgent, 'name' | 'uid' | 'peers' | 'peerLabels'>, peer: AdmissionFacts): Result<{ readonly via: Via }> {
  // Root could be anyone; whoever needs the door as root becomes the agent first.
  if (peer.uid !== agent.uid) return refuse(`uid ${peer.uid} is not agent ${agent.name}`);
  if (peer.pid <= 0 || peer.cgroup === '') return refuse('the process that connected is gone, so its control group is not known');
  for (const via of ['agent', 'remote'] as const) {
    if (!isBelow(peer.cgroup, agent.peers[via])) continue;
    // In a control group of its own a process that nothing confines could do what its door would refuse (R33).
    const expected = agent.peerLabels[via];
    return isSameLabel(peer.label, expected) ? accept({ via }) : refuse(`the process that connected runs as "${peer.label.slice(0, 200)}" and not as ${expected}`);
  }
  // Cut, because the agent names the groups below its units, and each reason is a row of its own in the ledger.
  const group = peer.cgroup.split('/').slice(0, 5).join('/');
  return refuse(`control group ${group} is neither the program of agent ${agent.name} nor a login with its key`);
}

/** Compared in whole components: `…/holdfast-agent@ab.service` is not below `…/holdfast-agent@a`. */
function isBelow(path: string, group: string): boolean {
  const parts = components(path);
  const prefix = components(group);
  if (parts === null || prefix === null) return false;
  return prefix.every((part, i) => parts[i] === part);
}

/**
 * Null for what names no group below the root: the root group itself holds everybody, so as a rule it would mean that nobody
 * was checked. `..` is how the kernel shows a group outside of our own cgroup namespace.
 */
function components(path: string): readonly string[] | null {
  if (!path.startsWith('/')) return null;
  const parts = path.split('/').slice(1);
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return null;
  return parts;
}
