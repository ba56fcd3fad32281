// SPDX-License-Identifier: Apache-2.0

/** The same profiles in the same mode. The kernel chooses the order in which a stack prints them (`a//&b (enforce)`). */
export function isSameLabel(a: string, b: string): boolean {
  return inOneOrder(a) === inOneOrder(b);
}

/** The profiles that a label names; where nothing confines there are none. */
export function profilesInLabel(label: string): readonly string[] {
  return label.replace(/ \([^()]*\)$/, '').split('//&').filter((name) => name !== 'unconfined');
}

function inOneOrder(label: string): string {
  const mode = / \([^()]*\)$/.exec(label)?.[0] ?? '';
  const names = label.slice(0, label.length - mode.length).split('//&');
  return [...new Set(names)].sort().join('//&') + mode;
}
