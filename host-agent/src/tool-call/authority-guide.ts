// SPDX-License-Identifier: Apache-2.0
import { formatCapability, type Capability } from '../capability/capability.ts';
import { contains } from '../capability/contains.ts';
import type { Grant, HeldGrants } from '../capability/grant.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import { SHELL_LASTS_MS } from '../tools/shell-open.ts';
import type { Tool } from '../tools/tool.ts';
import { dollars } from '../usage/over-limit.ts';
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
Paths are absolute; /workspace is yours and lasts.${agent.net === null ? ' There is no network.' : ''} A call ends after ${timeoutMs / 1000} s at the latest and has
${Math.floor(memoryMax / 2 ** 20)} MiB of memory and ${tasksMax} processes.
${tools.some(({ name }) => name === 'shell.open') ? `A shell that shell.open opens goes on, for ${SHELL_LASTS_MS / 60_000} minutes at most, and ends with your connection or when you leave it alone.\n` : ''}
${networkGuide(agent, held)}## What you may do now

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

/** R49, R75: how to get out, where to, and what it may cost. */
function networkGuide({ net, secrets, budget }: AgentAuthority, held: readonly Capability[]): string {
  if (net === null) return '';
  const reached = held.filter(({ namespace, action }) => namespace === 'net' && action === 'connect').map(({ resource }) => resource ?? '');
  const cost = budget.costPerDay === null ? [] : [`${dollars(budget.costPerDay)} on models in any 24 hours`];
  const tokens = budget.tokensPerHour === null ? [] : [`${budget.tokensPerHour} tokens in any 60 minutes`];
  const { bytesPerDay, requestsPerDay } = net.quota;
  const most = [...cost, ...tokens, `${requestsPerDay} requests and ${Math.floor(bytesPerDay / 2 ** 20)} MiB in any 24 hours`];
  return `## The network

The one way out is a proxy. HTTPS_PROXY, HTTP_PROXY and what names certificates are set in your environment: leave them as they are, and curl,
git, npm, pip, Node's fetch and Python use them. There is no DNS here; the proxy takes names. No other address answers.
${reached.length === 0 ? 'You reach no host now: ask for net:connect:HOST:PORT.\n' : `You reach these hosts (HOST:PORT):\n\n${listed(reached)}`}
What is refused is answered with status 403, or 429 when it helps to wait a moment, and a JSON body: \`rule\`, \`message\`, \`ask\` (the capability
to ask for with \`authority.request\`; null where asking is no use) and \`retryAfterMs\`.
${secrets.length === 0 ? '' : `These names in your environment hold placeholders, not secrets. Send them as they are; on the way to their hosts the secret is put in their
place, in the header that is named, and nowhere else:

${listed(secrets.map(({ name, hosts, header }) => `${name}: ${header.name} to ${hosts.map(({ host, port }) => `${host}:${port}`).join(', ')}`))}
`}You have ${most.join('; ')}. A request to a model is held at the most that it can cost until its answer says what it did: say how
many tokens you want back at most (max_tokens), and it holds less.

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
