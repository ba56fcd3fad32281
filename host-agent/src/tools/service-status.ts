// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

// systemd.unit(5), without the escapes of generated names: no unit that an agent asks about needs them.
export const UNIT = /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|timer|target|mount|path)$/;

const input = z.strictObject({
  unit: z
    .string()
    .max(255)
    .regex(UNIT, 'must be the full name of a unit, such as nginx.service')
    .describe('Full unit name, such as nginx.service.'),
});
type Args = z.infer<typeof input>;

export const seenService = z.strictObject({
  unit: z.string(),
  active: z.string(),
  sub: z.string(),
  load: z.string(),
  /** RFC 3339 of the last change of `active`, null when there was none. */
  since: z.string().nullable(),
});

export const serviceStatus: Tool<Args> = {
  name: 'service.status',
  title: 'State of a service',
  description: `Tells whether one systemd unit is loaded and active, in which sub-state, and since when. Changes nothing.
Needs the capability service:status:UNIT.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['service:status:{unit}'],
  action: (args) => ({ runs: 'observe', observation: { what: 'service', unit: args.unit } }),
  reply: (args, result) => {
    const seen = readSeen('service.status', seenService, result);
    const missing = seen.load === 'not-found';
    const since = seen.since === null ? '' : ` since ${seen.since}`;
    const state = `${args.unit} is ${seen.active} (${seen.sub})${since}; ${seen.load}`;
    return { text: missing ? `There is no unit ${args.unit} on this machine.` : state, data: seen, isError: missing };
  },
};
