// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { accept, type Result } from '../identity/result.ts';
import { toBase64 } from '../tools/base64.ts';
import { declaredAgent, type OperatorDoorPorts } from './operator-ports.ts';
import type { OperatorAnswer, OperatorRequest, ShellShownView, ShellView } from './operator-wire.ts';

/** For a person who watches; nothing here reaches a shell. */
export type WatchedShells = {
  /** Newest last. */
  readonly list: (agent: AgentName) => readonly ShellView[];
  /** What it shows from that place on, as soon as there is something; `from` null: all that is kept. */
  readonly watch: (agent: AgentName, shell: string, from: number | null, waitMs: number) => Promise<Result<ShellShown>>;
};
export type ShellShown = { readonly bytes: Uint8Array; readonly missed: number; readonly next: number; readonly running: boolean; readonly ended: string | null };

/** Shorter than a connection of an operator may be silent. */
const WATCH_MS = 20_000;

export function listShells(ports: OperatorDoorPorts, name: string): OperatorAnswer<readonly ShellView[]> {
  const agent = declaredAgent(ports, name);
  return agent.ok ? accept(ports.shells.list(agent.value.name)) : agent;
}

export async function watchShell(ports: OperatorDoorPorts, request: Extract<OperatorRequest, { readonly op: 'shell-watch' }>): Promise<OperatorAnswer<ShellShownView>> {
  const agent = declaredAgent(ports, request.agent);
  if (!agent.ok) return agent;
  const shown = await ports.shells.watch(agent.value.name, request.shell, request.from, WATCH_MS);
  if (!shown.ok) return shown;
  const { bytes, ...rest } = shown.value;
  return accept({ ...rest, data: toBase64(bytes) });
}
