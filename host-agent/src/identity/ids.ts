// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from './result.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type AgentName = Branded<'AgentName'>;
export type PackName = Branded<'PackName'>;
export type OperatorName = Branded<'OperatorName'>;
export type SessionId = Branded<'SessionId'>;
export type CallId = Branded<'CallId'>;
export type GrantId = Branded<'GrantId'>;
export type AgentId = Branded<'AgentId'>;

// A dash would nest systemd slices (agents-PACK-NAME.slice), so names have none.
const NAME = /^[a-z][a-z0-9_]{0,30}$/;

function parseName<T extends string>(what: string, text: string): Result<T> {
  if (NAME.test(text)) return accept(text as T);
  return refuse(`${what} must start with a-z and hold only a-z, 0-9 and _, at most 31 characters`);
}

export function parseAgentName(text: string): Result<AgentName> {
  return parseName('an agent name', text);
}

/** R76: what stays the same of an agent over sessions, machines and files; its author raises the version when it becomes another. */
export function agentId(pack: PackName, name: AgentName, version: number): AgentId {
  return `agent.${pack}.${name}.v${version}` as AgentId;
}

export function parsePackName(text: string): Result<PackName> {
  return parseName('a pack name', text);
}

export function parseOperatorName(text: string): Result<OperatorName> {
  return parseName('an operator name', text);
}
