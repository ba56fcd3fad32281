// SPDX-License-Identifier: Apache-2.0

export type DiffLine = { readonly mark: ' ' | '-' | '+' | '@'; readonly text: string };

const CONTEXT = 3;
/** Steps of the search: two texts that have little in common are shown as one gone and one come. */
const MOST_EDITS = 800;

/** What a person reads of two texts: changed lines with some around them (Myers, "An O(ND) Difference Algorithm", 1986). */
export function lineDiff(before: string, after: string): readonly DiffLine[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  return around(editsOf(a, b) ?? [...a.map((text): DiffLine => ({ mark: '-', text })), ...b.map((text): DiffLine => ({ mark: '+', text }))]);
}

/** A last line without an end says so, or it would look like one that has it. */
function linesOf(text: string): readonly string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop()!;
  return last === '' ? lines : [...lines, `${last} (no newline at the end)`];
}

function editsOf(a: readonly string[], b: readonly string[]): readonly DiffLine[] | null {
  const reached: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= Math.min(a.length + b.length, MOST_EDITS); edits += 1) {
    reached.push(new Map(furthest));
    const next = new Map(furthest);
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return wayBack(a, b, reached);
    }
    furthest = next;
  }
  return null;
}

function wayBack(a: readonly string[], b: readonly string[], reached: readonly ReadonlyMap<number, number>[]): readonly DiffLine[] {
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let edits = reached.length - 1; edits >= 0; edits -= 1) {
    const furthest = reached[edits]!;
    const k = x - y;
    const down = k === -edits || (k !== edits && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const x0 = edits === 0 ? 0 : (furthest.get(from) ?? 0);
    const y0 = edits === 0 ? 0 : x0 - from;
    while (x > x0 && y > y0 && a[x - 1] === b[y - 1]) {
      lines.push({ mark: ' ', text: a[x - 1]! });
      x -= 1;
      y -= 1;
    }
    if (edits === 0) break;
    if (down) lines.push({ mark: '+', text: b[(y -= 1)]! });
    else lines.push({ mark: '-', text: a[(x -= 1)]! });
  }
  return lines.reverse();
}

/** Without the unchanged lines that are far from a change; each part begins with its place. */
function around(lines: readonly DiffLine[]): readonly DiffLine[] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ mark }) => mark !== ' '));
  const shown: DiffLine[] = [];
  let [before, after] = [1, 1];
  lines.forEach((line, i) => {
    if (near[i] === true && near[i - 1] !== true) shown.push({ mark: '@', text: `line ${before}, now ${after}` });
    if (near[i] === true) shown.push(line);
    if (line.mark !== '+') before += 1;
    if (line.mark !== '-') after += 1;
  });
  return shown;
}
