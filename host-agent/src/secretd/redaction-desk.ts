// SPDX-License-Identifier: Apache-2.0
import { redactor, type Redactor } from '../secret/redaction.ts';
import { wipe } from '../secret/values.ts';
import type { Vault } from './vault.ts';

/** A text that comes in parts is ended with what it was begun with. */
const LAST_PARTS_MS = 10_000;

/**
 * What removes the secrets that are open now, those whose grace lasts and those that were `read` from a source among them. Its tables are made of them, in memory of ours that
 * nobody else reads and that is not swapped; they are wiped when the store is closed, and a little later when it changes.
 */
export type RedactionDesk = { readonly current: () => Redactor | null; readonly changed: () => void };

export function openRedactionDesk(vault: Pick<Vault, 'state' | 'everything'>, read: () => ReturnType<Vault['everything']>): RedactionDesk {
  let made: Redactor | null = null;
  const outgoing = new Set<Redactor>();

  function current(): Redactor | null {
    if (vault.state() !== 'open') return null;
    if (made !== null) return made;
    const secrets = [...vault.everything(), ...read()];
    try {
      made = redactor(secrets);
    } finally {
      wipe(...secrets.map(({ value }) => value));
    }
    return made;
  }

  function changed(): void {
    if (made !== null) outgoing.add(made);
    made = null;
    if (vault.state() !== 'open') {
      for (const old of outgoing) old.wipe();
      outgoing.clear();
      return;
    }
    for (const old of outgoing) {
      setTimeout(() => {
        if (outgoing.delete(old)) old.wipe();
      }, LAST_PARTS_MS).unref();
    }
  }

  return { current, changed };
}
