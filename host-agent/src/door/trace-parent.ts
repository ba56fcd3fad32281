// SPDX-License-Identifier: Apache-2.0
import { isObject } from '../ledger/shape.ts';
import type { JsonObject } from '../ledger/entry.ts';

export type TraceParent = { readonly trace: string; readonly span: string; readonly sampled: boolean };

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** `traceparent` of a request's `_meta` (W3C Trace Context level 1, MCP SEP-414). What does not fit exactly is as if absent. */
export function readTraceParent(params: JsonObject): TraceParent | null {
  const meta = params['_meta'];
  const text = isObject(meta) ? meta['traceparent'] : undefined;
  const found = typeof text === 'string' ? TRACEPARENT.exec(text) : null;
  const [, trace, span, flags] = found ?? [];
  if (trace === undefined || span === undefined || flags === undefined) return null;
  // Section 3.2.2: ids of only zeros are invalid.
  if (/^0+$/.test(trace) || /^0+$/.test(span)) return null;
  return { trace, span, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
