// SPDX-License-Identifier: Apache-2.0
import type { AgentName, OperatorName, PackName } from './ids.ts';

/** For whom a call or an act is made. Made from kernel facts at a door, never from a field of a message. */
export type Principal = AgentPrincipal | OperatorPrincipal | SystemPrincipal;

export type AgentPrincipal = { readonly kind: 'agent'; readonly name: AgentName; readonly pack: PackName };
export type OperatorPrincipal = { readonly kind: 'operator'; readonly name: OperatorName; readonly roles: readonly string[] };
/** One of our own processes, by its role's name. */
export type SystemPrincipal = { readonly kind: 'system'; readonly name: string };
