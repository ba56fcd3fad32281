// SPDX-License-Identifier: Apache-2.0
/** seccomp/reachable.txt: which system calls the kernel lets through with some arguments, one a line, with who reaches it. */
export const RINGS = ['call', 'container', 'file-tool', 'agent', 'runner'] as const;
export type Ring = (typeof RINGS)[number];
/** Sorted. */
export type Reachable = Readonly<Record<Ring, readonly string[]>>;

const HEAD = `# SPDX-License-Identifier: Apache-2.0
# What the kernel lets through, as a probe inside finds it: a call's command, a container's, the file tool, an agent's unit, a runner's unit.
# Compared by tests/vm/system-calls.test.ts; some pass with some arguments only (seccomp/base.filter).
`;

export function printReachable(reachable: Reachable): string {
  const names = [...new Set(RINGS.flatMap((ring) => reachable[ring]))].sort();
  return HEAD + names.map((name) => `${[name, ...RINGS.filter((ring) => reachable[ring].includes(name))].join(' ')}\n`).join('');
}

export function parseReachable(text: string): Reachable {
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(' '));
  const of = (ring: Ring): readonly string[] => rows.filter(([, ...rings]) => rings.includes(ring)).map(([name]) => name!).sort();
  return { call: of('call'), container: of('container'), 'file-tool': of('file-tool'), agent: of('agent'), runner: of('runner') };
}
