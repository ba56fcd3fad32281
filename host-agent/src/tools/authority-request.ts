// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { checkText } from '../capability/capability-text.ts';
import { formatCapability, parseCapability } from '../capability/capability.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { textReadBy } from './arguments.ts';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
const LONGEST_MS = 24 * 3_600_000;

function parseFor(text: string): Result<number> {
  const [, count, unit] = /^([1-9][0-9]{0,4})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN);
  if (!(ms <= LONGEST_MS)) return refuse('must be a whole number with s, m or h, such as 10m, and at most 24h');
  return accept(ms);
}

function parseAsked(text: string): Result<string> {
  const capability = parseCapability(text);
  return capability.ok ? accept(formatCapability(capability.value)) : capability;
}

const capability = z.string().min(1).max(4096).describe('As a refusal names it: fs:write:/etc/nginx/**, process:run:git.');
const duration = z.string().max(8).describe('How long you need it: 30s, 10m, 2h.');
const reason = z.string().trim().min(1).max(500).describe('What you will do with it, for the operator who decides. One line.');

const input = z.strictObject({
  capability: textReadBy(capability, parseAsked),
  for: textReadBy(duration, parseFor),
  reason: textReadBy(reason, checkText),
});
type Args = z.infer<typeof input>;

export const seenRequest = z.strictObject({
  request: z.string(),
  capability: z.string(),
  for_ms: z.int(),
  state: z.literal('open'),
  /** Parts of it that the type's own denials would go on to refuse. */
  still_denied: z.array(z.string()),
});

export const authorityRequest: Tool<Args> = {
  name: 'authority.request',
  title: 'Ask an operator for a capability',
  description: `Asks a human operator to grant you one capability for some time. Needs nothing held.
Returns at once with the id of the request; nothing is granted by asking. Ask for the narrowest thing that does the work.
Afterwards go on with other work and try the refused call again later: it works as soon as an operator has granted it.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: [],
  action: (args) => ({ runs: 'door', ask: { capability: args.capability, forMs: args.for, reason: args.reason } }),
  reply: (_args, result) => {
    const seen = readSeen('authority.request', seenRequest, result);
    const denied = seen.still_denied.length === 0 ? '' : ` Even then these stay refused: ${seen.still_denied.join(', ')}.`;
    const asked = `Request ${seen.request} is recorded: ${seen.capability} for ${Math.floor(seen.for_ms / 1000)} s.`;
    const next = 'Nothing is granted yet. An operator sees it and may grant it; go on with other work and try the call again later.';
    return { text: `${asked} ${next}${denied}`, data: seen, isError: false };
  },
};
