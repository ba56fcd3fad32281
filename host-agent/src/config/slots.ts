// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, refuse, type Result } from '../identity/result.ts';

/** Which agent name has which slot. A name keeps its slot for ever: files and records of a past agent stay its own. */
export type Slots = ReadonlyMap<string, number>;

export const SLOT_COUNT = 64;
/** Users hf-agent00 … hf-agent63 of the image (sysusers.d). */
export const SLOT_UID_BASE = 30100;

const NAME = /^[a-z][a-z0-9_]{0,30}$/;
const slotsFile = z.strictObject({
  v: z.literal(1),
  slots: z.record(z.string().regex(NAME), z.int().min(0).max(SLOT_COUNT - 1)),
});

export function uidOfSlot(slot: number): number {
  return SLOT_UID_BASE + slot;
}

export function slotOfUid(uid: number): number {
  return uid - SLOT_UID_BASE;
}

export function userOfSlot(slot: number): string {
  return `hf-agent${String(slot).padStart(2, '0')}`;
}

/** Gives every name its slot, old or new. Names for which none is left come back apart. */
export function assignSlots(held: Slots, names: readonly string[]): { readonly slots: Slots; readonly without: readonly string[] } {
  const slots = new Map(held);
  const taken = new Set(held.values());
  const without: string[] = [];
  let next = 0;
  for (const name of names) {
    if (slots.has(name)) continue;
    while (taken.has(next)) next += 1;
    if (next >= SLOT_COUNT) {
      without.push(name);
      continue;
    }
    slots.set(name, next);
    taken.add(next);
  }
  return { slots, without };
}

export function printSlots(slots: Slots): string {
  const sorted = [...slots].sort(([, a], [, b]) => a - b);
  return `${JSON.stringify({ v: 1, slots: Object.fromEntries(sorted) }, null, 2)}\n`;
}

/** A record that cannot be trusted is refused whole: guessing would hand one agent's files to another. */
export function parseSlots(text: string): Result<Slots> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refuse('the record of slots is not JSON');
  }
  const parsed = slotsFile.safeParse(json);
  if (!parsed.success) return refuse('the record of slots does not have its form');
  const slots = new Map(Object.entries(parsed.data.slots));
  if (new Set(slots.values()).size !== slots.size) return refuse('the record of slots gives one slot to two names');
  return accept(slots);
}
