// SPDX-License-Identifier: Apache-2.0
// What a compiled profile lets do, asked of it path by path and collapsed into few lines that a person can review.
import type { Policy } from './policy.ts';

/** One path's answer; '' for nothing worth a line. */
type Answer = (path: string) => string;
type Node = { readonly path: string; readonly below: Map<string, Node> };

export function reviewOf(policy: Policy, paths: readonly string[]): string {
  const writes: Answer = (path) => [...policy.file(path).letters].filter((letter) => 'wal'.includes(letter)).join('');
  const executes: Answer = (path) => policy.file(path).exec ?? '';
  const lines = [
    `profile ${policy.name} (${policy.mode})`,
    `capabilities: ${policy.capabilities.join(' ') || 'none'}`,
    `network: ${policy.network.join(', ') || 'none'}`,
    `rules of: ${policy.classes.join(', ') || 'none'}`,
    'writes:',
    ...collapsed(paths, writes),
    'executes:',
    ...collapsed(paths, executes),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * One line a folder for what a name that nobody has used yet would get deep below it, and one for each path that gets something else
 * than its folder says. A folder that says what the one above it says has no line.
 */
function collapsed(paths: readonly string[], answer: Answer): readonly string[] {
  const lines: string[] = [];
  const tell = (path: string, said: string): void => void lines.push(`  ${path}  ${said || 'not'}`);
  const visit = ({ path, below }: Node, inherited: string): void => {
    const folder = path === '/' ? '' : path;
    const usual = answer(`${folder}/~newer/~new`);
    if (usual !== inherited) tell(`${folder}/**`, usual);
    for (const [, child] of [...below].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const own = answer(child.path);
      if (own !== usual) tell(child.path, own);
      if (child.below.size > 0) visit(child, usual);
    }
  };
  if (answer('/') !== '') tell('/', answer('/'));
  visit(treeOf(paths), '');
  return lines;
}

/** The paths, and in each of their folders a new name, a hidden one, and one further down. */
function treeOf(paths: readonly string[]): Node {
  const top: Node = { path: '/', below: new Map() };
  const add = (path: string): void => {
    let node = top;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const path: string = node.path === '/' ? `/${name}` : `${node.path}/${name}`;
      const child = node.below.get(name) ?? { path, below: new Map() };
      node.below.set(name, child);
      node = child;
    }
  };
  for (const path of paths) add(path);
  const folders: Node[] = [top];
  for (const folder of folders) folders.push(...[...folder.below.values()].filter((node) => node.below.size > 0));
  for (const { path } of folders) for (const name of ['~new', '.~new', '~newer/~new']) add(path === '/' ? `/${name}` : `${path}/${name}`);
  return top;
}
