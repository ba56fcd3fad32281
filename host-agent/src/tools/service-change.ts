// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { readSeen } from './seen.ts';
import { UNIT } from './service-status.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({
  unit: z
    .string()
    .max(255)
    .regex(UNIT, 'must be the full name of a unit, such as nginx.service')
    .describe('Full unit name, such as nginx.service. Only units that your type names can be granted.'),
});

type Args = z.infer<typeof input>;
type Verb = 'start' | 'stop' | 'restart';

const state = z.strictObject({ active: z.string(), sub: z.string() });
const seenChange = z.strictObject({ unit: z.string(), before: state, after: state });

const DONE: Record<Verb, string> = { start: 'started', stop: 'stopped', restart: 'restarted' };
/** The verb that brings back the state before; none brings back what a service held in memory. */
const UNDO: Record<Verb, Verb | null> = { start: 'stop', stop: 'start', restart: null };

export const serviceStart = tool('start', 'Start a service', `Starts one systemd service and answers when it runs or has failed to.
Undone by service.stop. One that runs already is left as it is.`, { destructiveHint: false, idempotentHint: true });

export const serviceStop = tool('stop', 'Stop a service', `Stops one systemd service and answers when it has stopped.
Undone by service.start, but for what it held in memory. One that does not run is left as it is.`, { destructiveHint: true, idempotentHint: true });

export const serviceRestart = tool('restart', 'Restart a service', `Stops one systemd service and starts it again; one that does not run is started.
CANNOT BE UNDONE: what it held in memory is gone, and whoever was connected to it is cut off.`, { destructiveHint: true, idempotentHint: false });

function tool(verb: Verb, title: string, description: string, hints: Pick<Tool['annotations'], 'destructiveHint' | 'idempotentHint'>): Tool<Args> {
  const name = `service.${verb}`;
  return {
    name,
    title,
    description: `${description}\nNeeds the capability service:${verb}:UNIT.`,
    input,
    annotations: { readOnlyHint: false, openWorldHint: false, ...hints },
    needs: [`service:${verb}:{unit}`],
    action: ({ unit }) => ({ runs: 'change', change: { what: 'service', verb, unit } }),
    reply: ({ unit }, result) => {
      const { before, after } = readSeen(name, seenChange, result);
      const still = verb !== 'restart' && before.active === after.active;
      const undo = still || UNDO[verb] === null ? null : { tool: `service.${UNDO[verb]}`, arguments: { unit } };
      const what = still ? `${unit} was ${after.active} already; nothing was changed.` : `${unit} is ${DONE[verb]}: it was ${before.active} (${before.sub}) and is ${after.active} (${after.sub}).`;
      const back = undo !== null ? ` Undo: ${undo.tool} with the same unit.` : still ? '' : ' This cannot be undone.';
      return { text: `${what}${back}`, data: { unit, before, after, changed: !still, undo }, isError: false };
    },
  };
}
