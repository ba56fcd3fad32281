// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { isObject } from '../ledger/shape.ts';
import type { PublishedBindings } from '../secret/binding.ts';

export type SecretsState = PublishedBindings['state'];

const STATES: readonly SecretsState[] = ['absent', 'locked', 'open', 'damaged'];

/** What holdfast-secretd last said of its store; `state` is null where it said nothing that can be read. For words to people, never for a decision. */
export type SecretsSaid = { readonly state: SecretsState | null; readonly why: string | null };

export function readSecretsState(path: string): SecretsSaid {
  try {
    const said = parseStrictJson(readFileSync(path, 'utf8'), OWN_LIMITS);
    const { state: named, why } = said.ok && isObject(said.value) ? said.value : {};
    return { state: STATES.find((state) => state === named) ?? null, why: typeof why === 'string' ? why.slice(0, 400) : null };
  } catch {
    return { state: null, why: null };
  }
}

/** What somebody should know of it, with the next step; null where there is nothing to do. */
export function secretsWarning({ state, why }: SecretsSaid): string | null {
  switch (state) {
    case 'open':
    case 'absent':
      return null;
    case 'locked':
      return `secrets are locked${why === null ? '' : ` (${why})`}; open them with: holdfast secret unlock`;
    case 'damaged':
      return 'the store of secrets is damaged, and what needs one is refused; see: holdfast secret status';
    case null:
      return 'holdfast-secretd has not said whether secrets are open; what needs one is refused';
  }
}
