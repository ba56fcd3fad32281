// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { DeclaredNet, HostRule } from '../egress/host-rule.ts';
import { isHostName } from '../egress/host-name.ts';
import type { AgentType } from './agent-type.ts';
import { bytesOf, bytesText, countOf, countText } from './quantities.ts';

/** Of one inspected response, where the file says nothing. */
const RESPONSE_MAX = 64 * 1024 ** 2;
const MOST_HOSTS = 256;

const method = z.string().regex(/^[A-Z]{1,20}$/, 'must be a method in capital letters, such as GET');
// As of capabilities' paths, but that a request's path may end in a slash.
const pathPattern = z.string().max(2048).regex(/^\/[^?#\s]*$/, 'must be a path such as /v1/** (no query)');

const hostRule = z.strictObject({
  mode: z.enum(['tunnel', 'inspect']).optional()
    .describe('tunnel: bytes pass unread, once the name that TLS asks for is this one. inspect: requests are read and judged one by one. `tunnel` if left out; `inspect` always where methods, paths or upgrades are said, or a secret is bound to the host.'),
  methods: z.array(method).min(1).max(16).optional().describe('Only these; left out: any.'),
  paths: z.array(pathPattern).min(1).max(64).optional().describe('Only these: * within a segment, ** for one or more segments; left out: any.'),
  response: bytesText.optional().describe('The most that one response may have; 64M if left out.'),
  upgrades: z.array(z.enum(['websocket'])).max(1).optional().describe('What a connection may become; nothing if left out.'),
});

/** `net:` of an agent file. Whether the agent reaches a host at all is said by its capabilities; here is how. */
export const netSection = z.strictObject({
  quota: z.strictObject({
    bytes: bytesText.optional().describe('Sent and fetched in any 24 hours, all hosts together.'),
    requests: countText.optional().describe('Requests and tunnels in any 24 hours.'),
  }).optional().describe('May only narrow the type’s.'),
  hosts: z.record(z.string(), hostRule).optional().describe('How requests to a host are treated: its name in small letters, without a port.'),
}).describe('How it uses the network, where its capabilities (net:connect:HOST:PORT) let it.');

type Complain = (path: readonly PropertyKey[], message: string) => void;

export function declaredNet(said: z.infer<typeof netSection> | undefined, type: AgentType, complain: Complain): DeclaredNet | null {
  if (type.quota === null) {
    if (said !== undefined) complain(['net'], `agents of type ${type.name} can reach no network; choose a type whose ceiling has net:connect`);
    return null;
  }
  const { bytesPerDay, requestsPerDay } = type.quota;
  const bytes = said?.quota?.bytes === undefined ? bytesPerDay : bytesOf(said.quota.bytes);
  const requests = said?.quota?.requests === undefined ? requestsPerDay : countOf(said.quota.requests);
  if (bytes > bytesPerDay) complain(['net', 'quota', 'bytes'], `net.quota.bytes may only narrow the type's ${bytesPerDay / 1024 ** 2}M`);
  if (requests > requestsPerDay) complain(['net', 'quota', 'requests'], `net.quota.requests may only narrow the type's ${requestsPerDay}`);

  const hosts = Object.entries(said?.hosts ?? {});
  if (hosts.length > MOST_HOSTS) complain(['net', 'hosts'], `net.hosts has more than ${MOST_HOSTS} hosts`);
  const rules = hosts.map(([host, rule]): HostRule => {
    const at = ['net', 'hosts', host];
    if (!isHostName(host)) complain(at, `${JSON.stringify(host)} is no host: write its name in small letters, without a port, a final dot or *`);
    const read = rule.methods !== undefined || rule.paths !== undefined || (rule.upgrades ?? []).length > 0;
    if (read && rule.mode === 'tunnel') complain([...at, 'mode'], 'methods, paths and upgrades cannot be seen in a tunnel; leave `mode` out, or write inspect');
    for (const [i, pattern] of (rule.paths ?? []).entries()) {
      const odd = pattern.split('/').find((part) => part === '.' || part === '..' || (part.includes('**') && part !== '**'));
      if (odd !== undefined) complain([...at, 'paths', i], `its segment ${JSON.stringify(odd)} matches nothing; ** must be a whole segment, and . and .. do not occur`);
    }
    return {
      host,
      mode: read ? 'inspect' : (rule.mode ?? 'tunnel'),
      methods: rule.methods ?? null,
      paths: rule.paths ?? null,
      responseMax: rule.response === undefined ? RESPONSE_MAX : bytesOf(rule.response),
      upgrades: rule.upgrades ?? [],
    };
  });
  return { rules, quota: { bytesPerDay: Math.min(bytes, bytesPerDay), requestsPerDay: Math.min(requests, requestsPerDay) } };
}

/** For a host of which no file says anything. */
export function inspected(host: string): HostRule {
  return { host, mode: 'inspect', methods: null, paths: null, responseMax: RESPONSE_MAX, upgrades: [] };
}
