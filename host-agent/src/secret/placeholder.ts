// SPDX-License-Identifier: Apache-2.0
import { createHmac } from 'node:crypto';
import { shapeOf, type KeyFamily } from './key-family.ts';
import type { SecretName } from './name.ts';

const CONTEXT = 'holdfast-placeholder-v1\n';

/**
 * What an agent holds in a secret's place (R49). Made of the name and the store's random id, never of the value: nothing of the value
 * is in it, and it stays the same when the value is rotated. At least 80 bits of it are the store's own, so that it is found exactly in a
 * request and nowhere by accident.
 */
export function placeholderOf(storeId: string, name: SecretName, family: KeyFamily): string {
  const { prefix, alphabet, length, suffix } = shapeOf(family);
  let text = '';
  for (let block = 0; text.length < length; block += 1) {
    const bytes = createHmac('sha256', storeId).update(`${CONTEXT}${name}\n${block}`).digest();
    // Bytes beyond the last whole multiple of the alphabet are passed over, or its first letters would come more often.
    const fair = 256 - (256 % alphabet.length);
    for (const byte of bytes) if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length];
  }
  return prefix + text + suffix;
}
