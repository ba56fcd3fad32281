// SPDX-License-Identifier: Apache-2.0

/** A refusal is a value: what was wrong is in `error`, in words a person can act on. Faults stay exceptions. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export function accept<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}
