// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { z } from 'zod';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { isOwnRule } from '../egress/net-refusal.ts';
import type { FetchRequest } from '../tools/tool.ts';
import type { RefusedBy } from '../tool-call/ports.ts';
import type { RecordedNetPermit } from '../tool-call/recorded-permit.ts';
import { atBootMillis } from './clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';

/** Each header once more for each value; no more than a server may send in all. */
const MOST_HEADERS = 256;
const LATE_MS = 2_000;

const text = z.string().max(MAX_LINE);
const answer = z.union([
  z.strictObject({ ok: z.literal(true), status: z.int().min(100).max(999), headers: z.array(z.tuple([text, text])).max(MOST_HEADERS), body: text, truncated: z.boolean() }),
  z.strictObject({ ok: z.literal(false), refusal: z.strictObject({ rule: text, message: text, ask: text.nullable(), retryAfterMs: z.int().nullable() }) }),
]);

export type Fetched = Omit<Extract<z.infer<typeof answer>, { ok: true }>, 'ok'>;

/** One request over a connection of its own: when it is closed, holdfast-egress lets go. */
export function fetchByEgress(path: string, { permit, receipt }: RecordedNetPermit, request: FetchRequest, cancelled: AbortSignal): Promise<Result<Fetched> & RefusedBy> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const { method, host, port, scheme, path: target, headers, body } = request;
    const letBe = atBootMillis(permit.notAfter + LATE_MS, () => finish(refuse('there was no answer in time')));
    const cancel = (): void => finish(refuse('it was ended before its answer'));
    const finish = (result: Result<Fetched> & RefusedBy): void => {
      letBe();
      cancelled.removeEventListener('abort', cancel);
      socket.destroy();
      resolve(result);
    };
    socket.on('error', (fault: NodeJS.ErrnoException) => finish(refuse(`holdfast-egress cannot be reached (${fault.code ?? fault.message}); tell an operator`)));
    socket.on('close', () => finish(refuse('holdfast-egress went away before its answer')));
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      onValue: (value) => {
        const read = answer.safeParse(value);
        if (!read.success) return finish(refuse('holdfast-egress answered something else'));
        if (!read.data.ok) {
          const { message, rule } = read.data.refusal;
          return finish({ ...refuse(`${message} (${rule})`), ...(isOwnRule(rule) ? { rule } : {}) });
        }
        const { ok: _, ...fetched } = read.data;
        finish(accept(fetched));
      },
      onViolation: (reason) => finish(refuse(`the answer of holdfast-egress cannot be read: ${reason}`)),
    });
    if (cancelled.aborted) return cancel();
    cancelled.addEventListener('abort', cancel, { once: true });
    writeJsonLine(socket, { permit, receipt, request: { method, host, port, scheme, path: target, headers, body } } as unknown as JsonValue);
  });
}
