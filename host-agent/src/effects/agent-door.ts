// SPDX-License-Identifier: Apache-2.0
import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DeclaredAgent } from '../config/declared.ts';
import { MESSAGE_LIMITS, openAgentBudget, type AgentBudget } from '../door/agent-budget.ts';
import { admit, type AdmissionFacts, type Via } from '../door/agent-admission.ts';
import { openMcpSession, type McpSession, type SessionHandlers } from '../door/mcp-door.ts';
import { openTokenBucket } from '../door/token-bucket.ts';
import { openViolationCount } from '../door/violation-count.ts';
import type { Result } from '../identity/result.ts';
import { bootMillis } from './clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import { hasHungUp, peerOf } from './peer.ts';

export type DoorHandlers = {
  /** The kernel's word, now: this agent's profiles hold. Else nobody is let in. */
  readonly confined: () => Result<null>;
  /** One admitted connection. What is returned serves it; `onClosed` is called once, after the last violation was reported. */
  readonly open: (peer: AdmissionFacts & { readonly via: Via }) => SessionHandlers & { readonly onClosed: () => void };
  /** Connections that never became a session, counted. */
  readonly onRefused: (why: string, count: number) => void;
};

export type AgentDoor = {
  readonly sessions: () => number;
  /** The agent may call other tools than before: clients are told to ask again. */
  readonly toolsChanged: () => void;
  /** Settles when every session is over, which a client can put off. */
  readonly close: () => Promise<void>;
};

export type DoorTimes = {
  readonly maxSessions: number;
  /** Until the first whole message. */
  readonly openingMs: number;
  /** From the first byte of a line to its last (B04). */
  readonly lineMs: number;
  /** A peer that reads nothing for so long is cut off. */
  readonly unreadMs: number;
  readonly tickMs: number;
};

const TIMES: DoorTimes = { maxSessions: 8, openingMs: 60_000, lineMs: 10_000, unreadMs: 60_000, tickMs: 5_000 };
const REPORT_EVERY_MS = 60_000;
/** Between two looks whether a client that says nothing more is still there for its answers. */
const LOOK_MS = 250;
const ACCEPT = { perSecond: 20, burst: 50 };

/** Listens at DIR/mcp.sock. DIR belongs to holdfastd with the agent's group and the setgid bit, so 0660 means the agent. */
export async function serveAgentDoor(
  agent: DeclaredAgent,
  dir: string,
  handlers: DoorHandlers,
  version: string,
  times: DoorTimes = TIMES,
): Promise<AgentDoor> {
  const live = new Set<McpSession>();
  const refusals = openViolationCount(handlers.onRefused, REPORT_EVERY_MS);
  const accepting = openTokenBucket(ACCEPT, bootMillis());
  const budget = openAgentBudget(bootMillis());
  let emptied = (): void => undefined;
  const server = createServer({ allowHalfOpen: true });
  const path = await bindAtomically(server, dir);

  function refuseSocket(socket: Socket, why: string): void {
    refusals.add(why, bootMillis());
    socket.destroy();
  }

  server.on('connection', (socket) => {
    // Node throws what nobody hears; a peer that resets its connection is an ordinary event.
    socket.on('error', () => {});
    if (!accepting.take(bootMillis())) return refuseSocket(socket, 'too many connections a second');
    if (live.size >= times.maxSessions) return refuseSocket(socket, `more than ${times.maxSessions} sessions`);
    let peer: AdmissionFacts;
    try {
      peer = peerOf(socket);
    } catch {
      return refuseSocket(socket, 'the kernel told nothing of the process that connected');
    }
    const confined = handlers.confined();
    if (!confined.ok) return refuseSocket(socket, confined.error);
    const admitted = admit(agent, peer);
    if (!admitted.ok) return refuseSocket(socket, admitted.error);
    const opened = handlers.open({ ...peer, via: admitted.value.via });
    const session = openSession(socket, opened, budget, version, times, () => {
      live.delete(session);
      if (live.size === 0) emptied();
    });
    live.add(session);
  });

  const ticking = setInterval(() => {
    refusals.tick(bootMillis());
    for (const session of live) session.tick();
  }, times.tickMs);
  ticking.unref();

  return {
    sessions: () => live.size,
    toolsChanged: () => {
      for (const session of live) session.toolsChanged();
    },
    close: () => {
      clearInterval(ticking);
      server.close();
      removeSocket(path);
      for (const session of live) session.close();
      refusals.flush();
      return live.size === 0 ? Promise.resolve() : new Promise((resolve) => (emptied = resolve));
    },
  };
}

function openSession(
  socket: Socket,
  handlers: ReturnType<DoorHandlers['open']>,
  budget: AgentBudget,
  version: string,
  times: DoorTimes,
  onEnd: () => void,
): McpSession {
  let unread: NodeJS.Timeout | null = null;
  let looking: NodeJS.Timeout | null = null;
  let line: NodeJS.Timeout | null = setTimeout(tooSlow, times.openingMs);

  function tooSlow(): void {
    // Its rest waits behind a line that may not be read yet.
    if (lines.waits()) {
      line = setTimeout(tooSlow, times.lineMs);
      return;
    }
    session.violate('line too slow');
    session.close();
  }

  function readOn(): void {
    if (unread === null) socket.resume();
  }

  const session = openMcpSession(
    handlers,
    {
      send: (message) => {
        // Gone, which is no offence; `close` follows.
        if (socket.destroyed || !socket.writable) return true;
        if (!writeJsonLine(socket, message)) return false;
        // A peer that does not read is not read from either: its requests wait in its own buffers.
        if (socket.writableNeedDrain && unread === null) {
          socket.pause();
          unread = setTimeout(() => {
            session.violate('replies not read');
            session.close();
          }, times.unreadMs);
        }
        return true;
      },
      close: () => {
        // What was already written may still go out; a peer that does not take it holds the socket no longer than this.
        socket.end();
        setTimeout(() => socket.destroy(), 1000).unref();
      },
    },
    { version, now: bootMillis, places: budget.calls },
  );

  const lines = readJsonLines(socket, {
    maxBytes: MAX_LINE,
    limits: MESSAGE_LIMITS,
    waitFor: (bytes) => {
      const { waitMs, over } = budget.charge(bootMillis(), bytes);
      if (over !== null) session.violate(over);
      return waitMs;
    },
    readOn,
    onValue: session.receive,
    onViolation: (why) => {
      session.unreadable(why);
      session.close();
    },
    onEnd: () => {
      session.ended();
      // What it asked for goes on for a client that has only finished writing, and is cancelled for one that is gone.
      const look = (): void => {
        if (hasHungUp(socket)) session.close();
      };
      look();
      looking = setInterval(look, LOOK_MS);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    const newline = chunk.lastIndexOf(0x0a);
    if (newline >= 0 && line !== null) {
      clearTimeout(line);
      line = null;
    }
    // Set once per line and not moved by further bytes: one byte every few seconds gains nothing.
    if (newline !== chunk.length - 1) line ??= setTimeout(tooSlow, times.lineMs);
  });
  socket.on('end', () => {
    if (line !== null) clearTimeout(line);
    line = null;
  });
  socket.on('drain', () => {
    if (unread !== null) clearTimeout(unread);
    unread = null;
    readOn();
  });
  socket.on('close', () => {
    for (const timer of [line, unread, looking]) if (timer !== null) clearTimeout(timer);
    session.close();
    onEnd();
    handlers.onClosed();
  });
  return session;
}

/** The new socket takes the place of a stale one in one step; the name never leads nowhere and never has a wider mode. */
async function bindAtomically(server: Server, dir: string): Promise<string> {
  const path = join(dir, 'mcp.sock');
  const fresh = join(dir, 'mcp.new');
  for (const old of [path, fresh]) {
    const stat = lstatSync(old, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isSocket()) throw new Error(`cannot listen at ${old}: something that is not a socket lies there`);
  }
  removeSocket(fresh);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  // bind(2) happens inside listen(), so nothing else runs under this umask.
  const before = process.umask(0o117);
  try {
    server.listen(fresh);
  } finally {
    process.umask(before);
  }
  await listening;
  renameSync(fresh, path);
  return path;
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
