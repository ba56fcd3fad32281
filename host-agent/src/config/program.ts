// SPDX-License-Identifier: Apache-2.0

// Below /usr everything is under verity (DESIGN §3); the characters are those that systemd reads as themselves in a path.
const PROGRAM = /^\/usr(\/[A-Za-z0-9_+@][A-Za-z0-9_.+@-]*)+$/;

/** Why a program cannot be run as the agent's unit, and at which word; null when it can. */
export function programProblem(words: readonly string[]): { readonly index: number | null; readonly message: string } | null {
  const path = words[0];
  if (path === undefined) return { index: null, message: 'the program is missing' };
  if (path.length > 255 || !PROGRAM.test(path)) {
    return { index: 0, message: 'the program must be an absolute path of the image below /usr, of letters, digits and . _ + @ - only' };
  }
  const bad = words.findIndex((word) => /[\0-\x1f\x7f-\x9f\u2028\u2029]|\p{Surrogate}/u.test(word));
  if (bad !== -1) return { index: bad, message: 'an argument cannot hold control characters' };
  return null;
}
