// SPDX-License-Identifier: Apache-2.0

// A terminal breaks a long line where it ends and goes on at column 0. Whoever wrote the line could choose what stands there: "  to
// give it: holdfast grant ...", or another agent's request (B18). So we break it ourselves, and what follows is indented further.

/** Where nobody says how wide the screen is: a login without a terminal shows its output on one all the same. */
export const USUAL_WIDTH = 80;
const NARROWEST = 24;
const DEEPER = 4;

export type Row = { readonly indent: string; readonly from: number; readonly to: number };

/** The rows of one line of printable ASCII, none wider than `width`; every character is in exactly one of them. */
export function foldRows(line: string, width: number): readonly Row[] {
  const wide = Math.max(width, NARROWEST);
  const own = /^ */.exec(line)?.[0].length ?? 0;
  const indent = ' '.repeat(Math.min(own + DEEPER, NARROWEST / 2));
  const rows: Row[] = [];
  for (let from = 0; from < line.length || rows.length === 0; ) {
    const before = rows.length === 0 ? '' : indent;
    const to = endOfRow(line, from, wide - before.length);
    rows.push({ indent: before, from, to });
    from = to;
  }
  return rows;
}

/** Behind the last space that fits, when there is one in the second half of the row. */
function endOfRow(line: string, from: number, room: number): number {
  if (line.length - from <= room) return line.length;
  const space = line.lastIndexOf(' ', from + room - 1);
  return space >= from + room / 2 ? space + 1 : from + room;
}
