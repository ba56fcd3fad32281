// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { isObject } from '../ledger/shape.ts';
import type { PublishedBindings } from '../secret/binding.ts';

export type SecretsState = PublishedBindings['state'];

const STATES: readonly SecretsState[] = ['absent', 'locked', 'open', 'damaged'];

/** What holdfast-secretd last said of its store; null where it said nothing that can be read. For words to people, never for a decision. */
export function readSecretsState(path: string): SecretsState | null {
  try {
    const said = parseStrictJson(readFileSync(path, 'utf8'), OWN_LIMITS);
    const named = said.ok && isObject(said.value) ? said.value['state'] : null;
    return STATES.find((state) => state === named) ?? null;
  } catch {
    return null;
  }
}

/** What somebody should know of it, with the next step; null where there is nothing to do. */
export function secretsWarning(state: SecretsState | null): string | null {
  switch (state) {
    case 'open':
    case 'absent':
      return null;
    case 'locked':
      return 'secrets are locked; open them with: holdfast secret unlock';
    case 'damaged':
      return 'the store of secrets is damaged, and what needs one is refused; see: holdfast secret status';
    case null:
      return 'holdfast-secretd has not said whether secrets are open; what needs one is refused';
  }
}
