// SPDX-License-Identifier: Apache-2.0
import type { Fetched } from '../effects/egress-fetch-client.ts';
import type { KeptAccounts } from '../effects/kept-accounts.ts';
import type { AgentName, GrantId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { parseBase64 } from '../tools/base64.ts';
import type { FetchRequest } from '../tools/tool.ts';
import { judgeSpending } from '../tool-call/judge-spending.ts';
import type { FetcherPort, RefusedBy, ToolCallPorts } from '../tool-call/ports.ts';
import type { RecordedNetPermit } from '../tool-call/recorded-permit.ts';
import { settle } from '../usage/account.ts';
import type { WaysOutPorts } from './ways-out.ts';

/** Requests of net.fetch: calls like any other, whose quota and whose ends are kept here. */
export type Fetches = FetcherPort & { readonly look: () => void; readonly cutAgent: (agent: AgentName) => void };

type Ports = Pick<WaysOutPorts, 'authorityOf' | 'accounts' | 'prices'> & Pick<ToolCallPorts, 'grants'> & {
  readonly accounts: KeptAccounts;
  readonly send: (intent: RecordedNetPermit, request: FetchRequest, cancelled: AbortSignal) => Promise<Result<Fetched> & RefusedBy>;
};
type Running = { readonly agent: AgentName; readonly grants: readonly GrantId[]; readonly end: AbortController };

export function openFetches({ authorityOf, accounts, prices, grants, send }: Ports): Fetches {
  const running = new Set<Running>();

  async function fetch(intent: RecordedNetPermit, request: FetchRequest, used: readonly GrantId[], cancelled: AbortSignal): Promise<Result<JsonObject> & RefusedBy> {
    const { agent, call } = intent;
    const authority = authorityOf(agent);
    if (authority === null) return refuse(`agent ${agent} is not served any more`);
    const account = accounts.read(agent);
    if (!account.ok) return account;
    const spending = judgeSpending({ what: 'request', host: request.host, model: null }, authority, call, account.value.account, prices(), account.value.now);
    if (!spending.ok) return { ...refuse(`${spending.refusal.rule}: ${spending.refusal.message}`), rule: spending.refusal.rule };
    accounts.replace(agent, spending.account);
    const one: Running = { agent, grants: used, end: new AbortController() };
    running.add(one);
    let bytes: number | null = null;
    try {
      const kept = await accounts.kept(agent);
      if (!kept.ok) return kept;
      const got = await send(intent, request, AbortSignal.any([cancelled, one.end.signal]));
      if (!got.ok) return got;
      const sent = sizeOf(request);
      const received = base64Bytes(got.value.body) + headerBytes(got.value.headers);
      bytes = sent + received;
      const { status, headers, body, truncated } = got.value;
      return accept({ status, headers: headers.map(([name, value]) => [name, value]), body, truncated, sent, received });
    } finally {
      running.delete(one);
      const now = accounts.read(agent);
      // Of one that failed nobody knows what went; what it sent at least is charged.
      if (now.ok) accounts.replace(agent, settle(now.value.account, call, { cost: 0, tokens: 0, requests: 1, bytes: bytes ?? sizeOf(request) }, now.value.now));
    }
  }

  return {
    fetch,
    look: () => {
      for (const { grants: used, end } of running) if (used.some((id) => grants.isRevoked(id))) end.abort();
    },
    cutAgent: (agent) => {
      for (const one of running) if (one.agent === agent) one.end.abort();
    },
  };
}

function sizeOf({ path, headers, body }: FetchRequest): number {
  return path.length + headerBytes(headers) + (body === null ? 0 : base64Bytes(body));
}

function headerBytes(headers: readonly (readonly [string, string])[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}

function base64Bytes(text: string): number {
  const bytes = parseBase64(text);
  return bytes.ok ? bytes.value.length : text.length;
}
