// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { isHostName } from '../egress/host-name.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { PublishedBindings } from '../secret/binding.ts';

// What holdfast-secretd published, for holdfast-declare, which is root: whatever is not exactly of the form is refused whole. A name or
// a host becomes part of a capability, where * would be alive.

const agentName = z.string().refine((text) => parseAgentName(text).ok, 'is no agent').transform((text) => text as AgentName);
const printable = z.string().min(1).max(4096).regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'must be printable ASCII');

const binding = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/, 'is no name of a secret'),
  agents: z.array(agentName).max(256),
  hosts: z.array(z.strictObject({ host: z.string().refine(isHostName, 'is no host'), port: z.int().min(1).max(65_535) })).max(256),
  header: z.strictObject({
    name: z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'is no header in small letters'),
    template: printable.refine((text) => text.split('{}').length === 2, 'must have one {}'),
  }),
  placeholder: printable,
});

const published = z.strictObject({
  v: z.literal(1),
  state: z.enum(['absent', 'locked', 'open', 'damaged']),
  bindings: z.array(binding).max(1_024),
  why: z.string().max(400).optional(),
});

export function readBindings(value: unknown): Result<PublishedBindings> {
  const read = published.safeParse(value);
  if (!read.success) return refuse(read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ').slice(0, 500));
  const names = read.data.bindings.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? accept(read.data) : refuse(`the secret ${twice} is there twice`);
}
