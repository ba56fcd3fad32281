// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { seenMetrics } from './host-metrics.ts';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

type Metrics = z.infer<typeof seenMetrics>;

/** The figures that can be watched. A closed list times two directions is all that one agent can ever keep. */
export const FIGURES = {
  load_milli: (m: Metrics) => m.load_milli.one,
  memory_available_bytes: (m: Metrics) => m.memory.available_bytes,
  var_available_bytes: (m: Metrics) => m.var.available_bytes,
  var_files_free: (m: Metrics) => m.var.files_free,
} as const;

export type Figure = keyof typeof FIGURES;
export type Bound = { readonly figure: Figure; readonly when: 'above' | 'below' };
/** A bound on one figure of the machine. `crossed`: at the last look it was beyond. */
export type Watch = Bound & { readonly limit: number; readonly crossed: boolean };

const figure = z.enum(Object.keys(FIGURES) as [Figure, ...Figure[]]).describe('What is watched: as host.metrics reports it; load is of one minute, in thousandths.');
const when = z.enum(['above', 'below']).describe('On which side of the limit it counts as crossed.');
const limit = z.int().min(0).describe('The limit, in the figure\'s own unit.');

const watch = z.strictObject({ figure, when, limit, crossed: z.boolean() });
export const watchList = z.array(watch).max(2 * Object.keys(FIGURES).length);
const seenWatch = z.strictObject({ before: watch.nullable(), watches: watchList });

const HINTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false };

const setInput = z.strictObject({ figure, when, limit });

export const watchSet: Tool<z.infer<typeof setInput>> = {
  name: 'watch.set',
  title: 'Watch a figure of the machine',
  description: `Has holdfastd look at one figure every ten seconds and record in the ledger when it crosses a limit, and when it comes back.
One watch for each figure and side; another limit replaces the one before. It lasts until watch.clear, at most until the machine starts anew.
Undone by watch.clear, or by setting the limit that the answer names. Needs the capability watch:set:FIGURE.`,
  input: setInput,
  annotations: HINTS,
  needs: ['watch:set:{figure}'],
  action: ({ figure, when, limit }) => ({ runs: 'change', change: { what: 'watch', verb: 'set', figure, when, limit } }),
  reply: (args, result) => {
    const { before, watches } = readSeen('watch.set', seenWatch, result);
    const { figure, when } = args;
    const undo = before === null ? { tool: 'watch.clear', arguments: { figure, when } } : { tool: 'watch.set', arguments: { figure, when, limit: before.limit } };
    const text = `Watching: it is recorded when ${figure} goes ${when} ${args.limit}, and when it comes back. Undo: ${undo.tool}${before === null ? '' : ` with the limit ${before.limit}`}.`;
    return { text, data: { before, watches, undo }, isError: false };
  },
};

const clearInput = z.strictObject({ figure, when });

export const watchClear: Tool<z.infer<typeof clearInput>> = {
  name: 'watch.clear',
  title: 'Watch a figure no more',
  description: `Ends one watch that watch.set began. What it recorded stays in the ledger.
Undone by watch.set with the limit that the answer names. Needs the capability watch:clear:FIGURE.`,
  input: clearInput,
  annotations: HINTS,
  needs: ['watch:clear:{figure}'],
  action: ({ figure, when }) => ({ runs: 'change', change: { what: 'watch', verb: 'clear', figure, when } }),
  reply: ({ figure, when }, result) => {
    const { before, watches } = readSeen('watch.clear', seenWatch, result);
    const undo = before === null ? null : { tool: 'watch.set', arguments: { figure, when, limit: before.limit } };
    const text = before === null ? `${figure} was not watched for going ${when} anything.` : `${figure} is watched no more for going ${when} ${before.limit}. Undo: watch.set with that limit.`;
    return { text, data: { before, watches, undo }, isError: false };
  },
};
