// SPDX-License-Identifier: Apache-2.0
import { sha256Hex } from '../ledger/digest.ts';
import { figures, type Outcome } from './carry-out.ts';
import type { ShellEnd, ShellEnding } from './ports.ts';
import { failedReply } from './replies.ts';

/** By its own will or its agent's it ended as it should; otherwise somebody else's. */
const STATUS: Readonly<Record<ShellEnding, Outcome['status']>> = {
  itself: 'ok',
  closed: 'ok',
  idle: 'cancelled',
  deadline: 'deadline',
  revoked: 'cancelled',
  disconnected: 'cancelled',
  cancelled: 'cancelled',
  unrecorded: 'failed',
  stopping: 'cancelled',
  lost: 'failed',
};

/** The digest is of the transcript: of what was typed and shown from the beginning to the end. The reply is for one that never stood. */
export function ofShell({ how, ran, transcript }: ShellEnd): Outcome {
  const why = ran.ok ? `the shell ended before it could be used (${how})` : ran.error;
  return {
    status: ran.ok || STATUS[how] !== 'ok' ? STATUS[how] : 'failed',
    exit: ran.ok ? ran.value.exit : null,
    outputDigest: transcript?.digest ?? sha256Hex(new TextEncoder().encode(why)),
    observed: { ...(ran.ok ? figures(ran.value.observed) : { by: 'none' }), ended: how, transcript: transcript === null ? null : { bytes: transcript.bytes, missed: transcript.missed } },
    reply: failedReply(why),
  };
}
