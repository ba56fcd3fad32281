// SPDX-License-Identifier: Apache-2.0

/** The same profiles in the same mode. The kernel chooses the order in which a stack prints them (`a//&b (enforce)`). */
export function isSameLabel(a: string, b: string): boolean {
  return inOneOrder(a) === inOneOrder(b);
}

function inOneOrder(label: string): string {
  const mode = / \([^()]*\)$/.exec(label)?.[0] ?? '';
  const names = label.slice(0, label.length - mode.length).split('//&');
  return [...new Set(names)].sort().join('//&') + mode;
}
