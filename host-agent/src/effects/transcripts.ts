// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentName, CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { castEvent, castHead, type CastHead } from '../terminal/asciicast.ts';

/** What an open shell is written down with. Both throw when it cannot be written. */
export type Transcript = {
  readonly event: (sinceMs: number, code: 'o' | 'i', text: string) => void;
  readonly end: (sinceMs: number) => { readonly digest: string; readonly bytes: number; readonly missed: number };
};

const MOST_BYTES = 4 * 1024 * 1024;
/** For the last words: what is missing. */
const LAST_BYTES = 1024;
/** Of one agent. */
const MOST_KEPT = { files: 256, bytes: 64 * 1024 * 1024 };
const DAY_MS = 24 * 3_600_000;

/**
 * DIR/AGENT/CALL.cast: the beginning of each shell up to 4 MiB; of each agent up to 256 shells or 64 MiB, for `keepMs`. None goes before it is
 * a day old, so that no agent can open shells until what it did in another is gone: it gets none instead. The digest of the file is in the
 * ledger, where it stays. Throws where nothing can be written.
 */
export function openTranscript(dir: string, agent: AgentName, call: CallId, head: CastHead, keepMs: number): Result<Transcript> {
  const folder = join(dir, agent);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const room = makeRoom(folder, Date.now(), keepMs);
  if (!room.ok) return room;
  const file = openSync(join(folder, `${call}.cast`), 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  let missed = 0;

  function write(line: string): void {
    const data = Buffer.from(line);
    for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
    hash.update(data);
    bytes += data.length;
  }

  write(castHead(head));
  return accept({
    event: (sinceMs, code, text) => {
      const line = castEvent(sinceMs, code, text);
      // From the first that does not fit on nothing does: a transcript with holes would show what never was.
      if (missed > 0 || bytes + Buffer.byteLength(line) > MOST_BYTES - LAST_BYTES) missed += Buffer.byteLength(text);
      else write(line);
    },
    end: (sinceMs) => {
      try {
        if (missed > 0) write(castEvent(sinceMs, 'm', `${missed} more bytes were typed or shown`));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      return { digest: hash.digest('hex'), bytes, missed };
    },
  });
}

/** The oldest go, and what is old, but nothing of the last day. */
function makeRoom(folder: string, now: number, keepMs: number): Result<null> {
  const kept = readdirSync(folder).map((name) => {
    const { mtimeMs, size } = statSync(join(folder, name));
    return { path: join(folder, name), at: mtimeMs, size };
  });
  kept.sort((a, b) => a.at - b.at);
  let files = kept.length;
  let bytes = kept.reduce((sum, { size }) => sum + size, 0);
  for (const { path, at, size } of kept) {
    const full = files >= MOST_KEPT.files || bytes + MOST_BYTES > MOST_KEPT.bytes;
    if (!full && now - at <= keepMs) break;
    if (now - at < DAY_MS) return refuse(`what it shows cannot be recorded: ${files} shells of the last day are kept, and nothing of them goes for ${hours(at + DAY_MS - now)} more`);
    unlinkSync(path);
    files -= 1;
    bytes -= size;
  }
  return accept(null);
}

function hours(ms: number): string {
  const whole = Math.ceil(ms / 3_600_000);
  return `${whole} hour${whole === 1 ? '' : 's'}`;
}
