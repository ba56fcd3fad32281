// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { parseStrictJson } from '../door/strict-json.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { wipe, wipeable, wipeableCopy } from '../secret/values.ts';

/**
 * A value for one request, or for one call, from holdfast-secretd. It never becomes a string here: those cannot be wiped. The bytes are cut out of the
 * answer before it is parsed, and the caller wipes them when they are sent.
 */
export type SecretValue =
  | { readonly ok: true; readonly value: Buffer }
  | { readonly ok: false; readonly rule: 'locked' | 'not_bound' | 'receipt' | 'expired' | 'source' | 'away'; readonly why: string };

/** Each over a connection of its own, so that no two values stand in one buffer; holdfast-secretd takes 16. */
const AT_ONCE = 8;
/** Longer than holdfast-secretd waits for a source of values (READ_MS). */
const ANSWER_MS = 10_000;
const ANSWER_MAX = 128 * 1024;
const PIECE = 16 * 1024;
const TOO_LONG = Number.POSITIVE_INFINITY;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIELD = Buffer.from('"value":"');
const RULES = ['locked', 'not_bound', 'receipt', 'expired', 'source'] as const;
const AWAY: SecretValue = { ok: false, rule: 'away', why: 'holdfast-secretd does not answer' };

/** `use`: holdfast-egress, for a permit of a way out. `read`: a runner, for the permit of a call. */
type AskFor = 'use' | 'read';
type OnRecord = { readonly permit: object; readonly receipt: object };

export function secretAsker(socketPath: string, askFor: AskFor): (name: string, recorded: OnRecord) => Promise<SecretValue> {
  const waiting: (() => void)[] = [];
  let asking = 0;
  return async (name, recorded) => {
    if (asking >= AT_ONCE) await new Promise<void>((turn) => waiting.push(turn));
    else asking += 1;
    try {
      return await askOnce(socketPath, { ask: askFor, name, permit: recorded.permit as JsonValue, receipt: recorded.receipt as JsonValue });
    } finally {
      const next = waiting.shift();
      if (next === undefined) asking -= 1;
      else next();
    }
  };
}

function askOnce(socketPath: string, question: { readonly [key: string]: JsonValue }): Promise<SecretValue> {
  return new Promise((resolve) => {
    // One buffer for all that is read: Node would copy each piece out of a bigger one, and give that back to the system's memory as it is.
    const piece = wipeable(PIECE);
    const whole = wipeable(ANSWER_MAX);
    let length = 0;
    const take = (size: number): boolean => {
      if (length + size > whole.length) {
        length = TOO_LONG;
        socket.destroy();
        return false;
      }
      piece.copy(whole, length, 0, size);
      piece.fill(0, 0, size);
      length += size;
      if (whole[length - 1] === NEWLINE) socket.destroy();
      return true;
    };
    const socket = connect({ path: socketPath, onread: { buffer: piece, callback: take } });
    const late = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.on('error', () => socket.destroy());
    socket.once('connect', () => socket.write(`${JSON.stringify({ id: 1, ...question })}\n`));
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(late);
      const complete = length > 0 && length !== TOO_LONG && whole[length - 1] === NEWLINE;
      const answer = complete ? readSecretAnswer(whole.subarray(0, length - 1)) : AWAY;
      wipe(piece, whole);
      resolve(answer);
    });
  });
}

/** `line` may be changed, and is the caller's to wipe. */
export function readSecretAnswer(line: Buffer): SecretValue {
  const value = cutValue(line);
  const rest = value === null ? line : Buffer.concat([line.subarray(0, value.from), line.subarray(value.to)]);
  const parsed = parseStrictJson(rest.toString('utf8'));
  if (!parsed.ok || !isObject(parsed.value)) return fail(value);
  const { id, ok, rule, why } = parsed.value;
  if (id !== 1) return fail(value);
  if (ok === true && value !== null && parsed.value['value'] === '' && Object.keys(parsed.value).length === 3) return { ok: true, value: value.bytes };
  value?.bytes.fill(0);
  const known = RULES.find((r) => r === rule);
  return ok === false && known !== undefined && typeof why === 'string' ? { ok: false, rule: known, why: why.slice(0, 500) } : AWAY;
}

function fail(value: Cut | null): SecretValue {
  value?.bytes.fill(0);
  return AWAY;
}

type Cut = { readonly from: number; readonly to: number; readonly bytes: Buffer };

/** The bytes between the quotes, and where they stood. A value is what a header can carry, so of JSON's escapes only two can be in it. */
function cutValue(line: Buffer): Cut | null {
  const at = line.indexOf(FIELD);
  if (at === -1) return null;
  const from = at + FIELD.length;
  const bytes = wipeable(line.length - from);
  let length = 0;
  for (let index = from; index < line.length; index += 1) {
    let byte = line[index]!;
    if (byte === QUOTE) {
      const exact = wipeableCopy(bytes.subarray(0, length));
      bytes.fill(0);
      return { from, to: index, bytes: exact };
    }
    if (byte === BACKSLASH) {
      index += 1;
      byte = line[index] ?? 0;
      if (byte !== QUOTE && byte !== BACKSLASH) break;
    }
    // RFC 9110, 5.5: what a field value may hold. A line end here would begin a header of the value's own.
    if (byte < 0x20 || byte > 0x7e) break;
    bytes[length] = byte;
    length += 1;
  }
  bytes.fill(0);
  return null;
}
