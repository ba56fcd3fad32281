// SPDX-License-Identifier: Apache-2.0

/** How an agent's requests to one host are treated, from its file. Whether it reaches the host at all is a capability's word. */
export type HostRule = {
  /** Lower case, no final dot. */
  readonly host: string;
  /**
   * `tunnel`: bytes pass unread, once the name that TLS asks for is this one. `inspect`: TLS ends in holdfast-egress, which reads method
   * and path and puts secrets in the place of placeholders. Of a host that a secret is bound to, always `inspect`.
   */
  readonly mode: 'tunnel' | 'inspect';
  /** Upper case; null: any. */
  readonly methods: readonly string[] | null;
  /** Patterns as of capabilities' paths: `*` within a segment, `**` across; null: any. */
  readonly paths: readonly string[] | null;
  /** Bytes of one response's body. */
  readonly responseMax: number;
  readonly upgrades: readonly 'websocket'[];
};

/** What an agent may send and fetch in a day, all hosts together. */
export type NetQuota = { readonly bytesPerDay: number; readonly requestsPerDay: number };

/** The network of an agent whose type can be granted one. */
export type DeclaredNet = { readonly rules: readonly HostRule[]; readonly quota: NetQuota };
