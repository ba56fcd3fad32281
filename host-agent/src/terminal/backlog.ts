// SPDX-License-Identifier: Apache-2.0

/** The last bytes of a stream. Each reader has its own place in it, counted from the stream's beginning. */
export type Backlog = {
  readonly append: (bytes: Uint8Array) => void;
  /** `missed`: bytes between that place and the oldest that is left. `next`: where to read on. */
  readonly read: (from: number, most: number) => { readonly bytes: Uint8Array; readonly missed: number; readonly next: number };
  /** All that ever came. */
  readonly end: () => number;
};

export function openBacklog(max: number): Backlog {
  let chunks: Uint8Array[] = [];
  let begin = 0;
  let end = 0;
  return {
    append: (bytes) => {
      end += bytes.length;
      // Copies: a view would keep all of a larger chunk.
      if (bytes.length >= max) {
        chunks = [bytes.slice(bytes.length - max)];
        begin = end - max;
        return;
      }
      chunks.push(bytes.slice());
      while (end - begin - chunks[0]!.length >= max) begin += chunks.shift()!.length;
      if (chunks.length > 256) chunks = [joined(chunks)];
    },
    read: (from, most) => {
      const oldest = Math.max(begin, end - max);
      const at = Math.min(Math.max(from, oldest), end);
      const bytes = joined(chunks).slice(at - begin, at - begin + most);
      return { bytes, missed: Math.max(0, at - from), next: at + bytes.length };
    },
    end: () => end,
  };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
