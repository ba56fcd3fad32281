// SPDX-License-Identifier: Apache-2.0
import { formatCapability } from '../capability/capability.ts';
import { contains } from '../capability/contains.ts';
import type { Grant, HeldGrants } from '../capability/grant.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import { SHELL_LASTS_MS } from '../tools/shell-open.ts';
import type { Tool } from '../tools/tool.ts';
import type { ClockPort } from './ports.ts';

/** What a list of a type's ceiling may take of an agent's attention. */
const MOST_LISTED = 64;

/** R103 */
const OWN_HANDS = {
  mediated: 'Your own process only reads /workspace: whatever you want done is a tool call.',
  contained: 'Your own process may run programs of the image and of /workspace and change files there and in /tmp; the kernel records each.',
} as const;

/**
 * What an agent is told of its own authority, in the form that agents' programs read (AGENTS.md): what it may do now, what it can ask
 * for and how, and what nobody can give it. Made from what calls are judged by; a hint and no decision.
 */
export function authorityGuide(agent: AgentAuthority, grants: HeldGrants, tools: readonly Tool[], clock: Omit<ClockPort, 'sleep'>): string {
  const { ceiling, defaults } = agent;
  const held = [...defaults, ...grants.grants.map((grant) => grant.capability)];
  const askable = ceiling.allow.filter((pattern) => !held.some((has) => contains(has, pattern)) && !ceiling.deny.some((no) => contains(no, pattern)));
  const { timeoutMs, memoryMax, tasksMax } = agent.limits;
  const now = { boot: clock.now(), wall: Date.parse(clock.wall()) };
  return `# You are agent ${agent.name} on a Holdfast machine

Your type is ${agent.type}, your mode ${agent.mode}. Every tool call is judged, runs in a sandbox of its own and is recorded.
${OWN_HANDS[agent.mode]}
Paths are absolute; /workspace is yours and lasts. There is no network. A call ends after ${timeoutMs / 1000} s at the latest and has
${Math.floor(memoryMax / 2 ** 20)} MiB of memory and ${tasksMax} processes.
${tools.some(({ name }) => name === 'shell.open') ? `A shell that shell.open opens goes on, for ${SHELL_LASTS_MS / 60_000} minutes at most, and ends with your connection or when you leave it alone.\n` : ''}
## What you may do now

${listed(defaults.map(formatCapability))}${listed(grants.grants.map((grant) => granted(grant, now)))}
Tools: ${tools.map(({ name }) => name).join(', ')}.

## What you can ask for

${listed(askable.map(formatCapability)) || 'Nothing beyond what you hold.\n'}
Ask with the tool \`authority.request\`, for the narrowest thing that does the work, with the time you need and a reason: a human decides.
It returns at once. Go on with other work and try the refused call again later; a refusal names the capability it lacked.

## What nobody can give you

Whatever is in neither list${ceiling.deny.length === 0 ? '.\n' : `, and this, whatever you hold:\n\n${listed(ceiling.deny.map(formatCapability))}`}
Such a refusal is final: trying other spellings, links or programs leads to the same answer, and each try is recorded.
`;
}

function granted({ capability, notAfter, usesLeft, grantedBy }: Grant, now: { readonly boot: number; readonly wall: number }): string {
  const until = new Date(now.wall + (notAfter - now.boot)).toISOString().replace(/\.\d+Z$/, 'Z');
  const uses = usesLeft === null ? '' : `, ${usesLeft} ${usesLeft === 1 ? 'use' : 'uses'}`;
  return `${formatCapability(capability)} (granted by ${grantedBy} until ${until}${uses})`;
}

function listed(lines: readonly string[]): string {
  const shown = lines.slice(0, MOST_LISTED).map((line) => `- \`${line}\`\n`).join('');
  return lines.length > MOST_LISTED ? `${shown}- and ${lines.length - MOST_LISTED} more\n` : shown;
}
