// SPDX-License-Identifier: Apache-2.0
import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import type { Problem } from './declared.ts';
import { MAX_FILE_BYTES } from './text-file.ts';
import { characterProblems, MAX_DEPTH, subsetProblems } from './yaml-subset.ts';
import { describeIssue, type Path } from './schema-issue.ts';

export type Loaded<T> =
  | { readonly ok: true; readonly value: T; readonly lineOf: (path: Path) => number }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const MAX_PROBLEMS = 20;

/**
 * The one loader of YAML (DESIGN §3): YAML 1.2 core without anchors, aliases, tags, directives, merge or duplicate keys, one document.
 * The text may come from anybody who can write a layer (attack case A28). Every problem names a line.
 */
export function loadYaml<T>(file: string, text: string, schema: z.ZodType<T>): Loaded<T> {
  if (new TextEncoder().encode(text).length > MAX_FILE_BYTES) {
    return { ok: false, problems: [{ file, line: 1, message: `the file is larger than ${MAX_FILE_BYTES / 1024} KiB; make it smaller` }] };
  }
  const early = characterProblems(file, text);
  if (early.length > 0) return { ok: false, problems: early };
  const words = subsetProblems(file, text);
  if (words.length > 0) return { ok: false, problems: words };

  const lines = new LineCounter();
  // Duplicate keys are looked for in `plain`: the package's own search is quadratic in the number of keys.
  const options = { version: '1.2', schema: 'core', uniqueKeys: false, merge: false, prettyErrors: false, lineCounter: lines } as const;
  let parsedDocuments: ReturnType<typeof parseAllDocuments>;
  try {
    parsedDocuments = parseAllDocuments(text, { ...options, logLevel: 'silent' });
  } catch {
    // A fault of the YAML package on hostile text refuses this file only.
    return { ok: false, problems: [{ file, line: 1, message: 'cannot be read as YAML' }] };
  }
  const [document, ...more] = parsedDocuments;
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  if (document === undefined || !('contents' in document) || document.contents === null) {
    return { ok: false, problems: [{ file, line: 1, message: 'the file holds nothing' }] };
  }
  const faults = [...document.errors, ...document.warnings];
  if (more.length > 0) return { ok: false, problems: [{ file, line: 1, message: 'a second YAML document; one file holds one document' }] };
  if (faults.length > 0) {
    const said = faults.slice(0, MAX_PROBLEMS).map((e) => ({ file, line: lineAt(e.pos[0]), message: `not valid YAML: ${e.message}` }));
    return { ok: false, problems: said };
  }

  const problems: Problem[] = [];
  const root = document.contents;
  const tree = plain(root, 1, (offset, message) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ file, line: lineAt(offset), message });
  });
  if (problems.length > 0) return { ok: false, problems };

  const lineOf = (path: Path): number => lineAt(offsetOf(root, path));
  const parsed = schema.safeParse(tree);
  if (parsed.success) return { ok: true, value: parsed.data, lineOf };
  for (const issue of parsed.error.issues) {
    for (const { path, message } of describeIssue(issue, holds(tree, issue.path))) {
      if (problems.length < MAX_PROBLEMS) problems.push({ file, line: lineOf(path), message });
    }
  }
  return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line) };
}

type Report = (offset: number, message: string) => void;

/** The tree as plain data. Objects have no prototype, so that no key can reach one (attack case A22). */
function plain(node: unknown, depth: number, report: Report): unknown {
  const offset = startOf(node);
  if (depth > MAX_DEPTH) {
    report(offset, `nested deeper than ${MAX_DEPTH} levels`);
    return null;
  }
  if (isSeq(node)) return node.items.map((item) => plain(item, depth + 1, report));
  if (isMap(node)) {
    const object: Record<string, unknown> = Object.create(null);
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== 'string') report(startOf(key), 'a key must be text; quote it');
      else if (key.value === '<<') report(startOf(key), 'a merge key (<<) is not allowed; write the keys out');
      else if (key.value === '__proto__') report(startOf(key), 'the key "__proto__" is not allowed');
      else if (Object.hasOwn(object, key.value)) report(startOf(key), `the key ${JSON.stringify(key.value)} stands here a second time`);
      else object[key.value] = value === null ? null : plain(value, depth + 1, report);
    }
    return object;
  }
  if (isScalar(node)) {
    const { value } = node;
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number' && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
    report(offset, 'a number that cannot be kept exactly; quote it if it is text');
    return null;
  }
  report(offset, 'a value of an unknown kind');
  return null;
}

function holds(tree: unknown, path: Path): boolean {
  let value = tree;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return true;
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

/** Where a value stands, or the nearest thing around it that the file does hold. A key's own line counts, not its value's. */
function offsetOf(root: Node, path: Path): number {
  let node: unknown = root;
  let offset = startOf(root);
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) return offset;
      offset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
      node = node.items[step];
      offset = startOf(node);
    } else {
      return offset;
    }
  }
  return offset;
}
