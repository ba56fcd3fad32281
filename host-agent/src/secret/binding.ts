// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';

/**
 * What an operator bound one secret to (R44, R49): these agents may have it put into that header of requests to these hosts, and into
 * nothing else. No part of the value. A host is a literal name, lower case, without a final dot; the port is 443 unless it is said.
 */
export type SecretBinding = {
  readonly name: string;
  readonly agents: readonly AgentName[];
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** `{}` in the template is where the value stands: `Bearer {}`. The header's name is lower case. */
  readonly header: { readonly name: string; readonly template: string };
  /** What the agent sees in the value's place, in the shape of its vendor's keys: SDKs check it. */
  readonly placeholder: string;
};

/**
 * What holdfast-secretd publishes of its store (`paths.secretBindings`, 0644, replaced whole): holdfast-declare makes of it what agents
 * hold and see. `locked`: there is a store, and nobody has opened it since boot; bindings are known all the same.
 */
export type PublishedBindings = {
  readonly v: 1;
  readonly state: 'absent' | 'locked' | 'open' | 'damaged';
  readonly bindings: readonly SecretBinding[];
  /** Why this machine's own key did not open them, where it should have: words for people. */
  readonly why?: string | undefined;
};
