// SPDX-License-Identifier: Apache-2.0
import type { CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import { KINDS, MOST, type Account, type Amounts, type Mark, type Reservation } from './account.ts';
import type { AccountClock } from './account-clock.ts';

// What is kept of an account. Read strictly: a file that is not exactly as it was written frees nothing, it closes the way out.

export type KeptAccount = { readonly clock: AccountClock; readonly account: Account };

const MOST_MARKS = 4_096;
const MOST_OPEN = 4_096;

export function writeAccount({ clock, account }: KeptAccount): string {
  return `${JSON.stringify({ v: 1, clock, spent: account.spent, open: account.open })}\n`;
}

export function readAccount(value: JsonValue): Result<KeptAccount> {
  if (!isObject(value)) return refuse('it is no object');
  const fields = checkFields(value, ['v', 'clock', 'spent', 'open']);
  if (!fields.ok) return fields;
  if (value['v'] !== 1) return refuse('it is not of version 1');
  const clock = readClock(value['clock']);
  if (clock === null) return refuse('its clock does not have its form');
  const { spent, open } = value;
  if (!isObject(spent) || !checkFields(spent, KINDS).ok) return refuse('what was spent does not have its form');
  if (!KINDS.every((kind) => isMarks(spent[kind]))) return refuse('what was spent does not have its form');
  if (!Array.isArray(open) || open.length > MOST_OPEN || !open.every(isReservation)) return refuse('what was open does not have its form');
  const reservations = open as unknown as readonly Reservation[];
  if (new Set(reservations.map(({ call }) => call)).size !== reservations.length) return refuse('a call is open twice');
  return accept({ clock, account: { spent: spent as unknown as Account['spent'], open: reservations } });
}

function readClock(value: JsonValue | undefined): AccountClock | null {
  if (!isObject(value) || !checkFields(value, ['boot', 'bootMs', 'wallMs', 'ms']).ok) return null;
  const { boot, bootMs, wallMs, ms } = value;
  const good = typeof boot === 'string' && isAmount(bootMs) && isAmount(wallMs) && isAmount(ms);
  return good ? { boot, bootMs, wallMs, ms } : null;
}

function isMarks(value: JsonValue | undefined): value is readonly Mark[] {
  if (!Array.isArray(value) || value.length > MOST_MARKS) return false;
  const marks = value as readonly JsonValue[];
  return marks.every((mark, i) => {
    if (!Array.isArray(mark) || mark.length !== 2 || !mark.every(isAmount)) return false;
    const before = marks[i - 1] as Mark | undefined;
    return before === undefined || before[0] < (mark as unknown as Mark)[0];
  });
}

function isReservation(value: JsonValue): boolean {
  if (!isObject(value) || !checkFields(value, ['call', 'amounts']).ok) return false;
  const { call, amounts } = value;
  return isCallId(call) && isObject(amounts) && checkFields(amounts, KINDS).ok && KINDS.every((kind) => isAmount(amounts[kind]));
}

function isCallId(value: JsonValue | undefined): value is CallId {
  return typeof value === 'string' && value !== '' && value.length <= 64;
}

function isAmount(value: JsonValue | undefined): value is Amounts[(typeof KINDS)[number]] {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MOST;
}
