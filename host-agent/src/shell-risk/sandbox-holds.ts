// SPDX-License-Identifier: Apache-2.0
import type { RiskClass, Verdict } from './verdict.ts';

/**
 * What the sandbox would do about each class, whatever the line says (docs/attacks.md). `wholly`: nothing of it can succeed in a call,
 * so a question to a person saves nobody from anything. `partly`: outside of what the agent holds. `no`: it is within the agent's own reach.
 */
export type Held = { readonly by: 'wholly' | 'partly' | 'no'; readonly says: string };

export const SANDBOX_HOLDS: Readonly<Record<RiskClass, Held>> = {
  unreadable: { by: 'partly', says: 'whatever it does, it does with the rights of the call alone' },
  unlisted: { by: 'partly', says: 'it would run with the rights of the call alone' },
  obfuscation: { by: 'partly', says: 'the hidden command has no more rights than one in plain sight' },
  'decode-and-run': { by: 'partly', says: 'what is decoded has the rights of the call alone' },
  'fetch-and-run': { by: 'partly', says: 'a call has no network but by hosts that were granted, and what was fetched has the rights of the call alone' },
  'hidden-command': { by: 'partly', says: 'whatever it runs has the rights of the call alone' },
  'shell-escape': { by: 'partly', says: 'a shell in a call is in the same sandbox as what started it' },
  'inline-code': { by: 'partly', says: 'code has the rights of the call alone' },
  'remote-shell': { by: 'wholly', says: 'a call has a network namespace with nothing in it but, where granted, a proxy that speaks HTTP to granted hosts' },
  privilege: { by: 'wholly', says: 'no-new-privileges, no capabilities and no file with a set-uid bit: nobody becomes another user in a call' },
  accounts: { by: 'wholly', says: 'the files of accounts cannot be written, and the hashes are not visible' },
  credentials: { by: 'partly', says: "keys of the machine and of other agents are not visible; what lies in the agent's own workspace is" },
  persistence: { by: 'partly', says: 'nothing outside of the granted paths can be written, and nothing outlives the call; a file in the workspace stays and may be run by a later one' },
  traces: { by: 'wholly', says: 'the ledger and the journal are out of reach; the history of a shell in a call goes with it' },
  defences: { by: 'wholly', says: 'no capabilities and no bus to the service manager: firewall, profiles and services stay as they are' },
  kernel: { by: 'wholly', says: 'the filter of system calls and the lack of capabilities refuse it' },
  injection: { by: 'wholly', says: 'the filter refuses ptrace, and a call sees no process but its own' },
  'library-load': { by: 'partly', says: 'the library has the rights of the call alone' },
  destruction: { by: 'partly', says: 'only what the agent may write is lost, and holdfast undo brings it back; devices are not visible' },
  exfiltration: { by: 'partly', says: 'nothing leaves but by granted hosts, where each request is recorded and known secrets are refused' },
  download: { by: 'partly', says: 'nothing comes but from granted hosts' },
  discovery: { by: 'wholly', says: 'a call has namespaces of its own: it sees no neighbours, sockets or processes but its own' },
  outside: { by: 'wholly', says: 'a path that the agent does not hold does not exist in its calls' },
};

/** Whether a person's answer could make a difference: some red reason is of a class that the sandbox does not hold wholly. */
export function worthAsking({ risk, reasons }: Verdict): boolean {
  return risk === 'red' && reasons.some((reason) => reason.risk === 'red' && SANDBOX_HOLDS[reason.class].by !== 'wholly');
}
