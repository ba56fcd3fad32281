// SPDX-License-Identifier: Apache-2.0

/** The image that is baked in: the tool root. */
export const BAKED_IMAGE = 'tools';

/** A container's name: a word in capabilities, command lines and paths. */
export function isContainerName(text: string): boolean {
  return /^[a-z][a-z0-9_-]{0,30}$/.test(text);
}

/** An image's: the baked one's, or what the archive hashes to that an operator brought in. Such an image has no other name that could come to mean something else. */
export function isImageName(text: string): boolean {
  return text === BAKED_IMAGE || isImageDigest(text);
}

export function isImageDigest(text: string): boolean {
  return /^sha256-[0-9a-f]{64}$/.test(text);
}
