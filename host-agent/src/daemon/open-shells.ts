// SPDX-License-Identifier: Apache-2.0
import type { ShellShown, WatchedShells } from '../door/operator-shells.ts';
import type { ShellConnection } from '../effects/shell-connection.ts';
import type { Transcript } from '../effects/transcripts.ts';
import type { AgentName, CallId, GrantId, SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { RunResult, TerminalSize } from '../sandbox/permit.ts';
import { openBacklog, type Backlog } from '../terminal/backlog.ts';
import { openScreenReader, type ScreenReader } from '../terminal/screen-reader.ts';
import type { CastHead } from '../terminal/asciicast.ts';
import { SHELL_IDLE_MS } from '../tools/shell-open.ts';
import type { ShellUse } from '../tools/tool.ts';
import type { OpenedShell, ShellEnd, ShellEnding, ShellOwner, ShellPort } from '../tool-call/ports.ts';
import type { RecordedPermit } from '../tool-call/recorded-permit.ts';
import type { RedactPort } from '../tool-call/redact.ts';
import { redactedTranscript, type RedactedTranscript } from './redacted-transcript.ts';

/** Of one agent at a time; and of it that have ended and may still be read. */
export const MOST_OPEN = 2;
const MOST_ENDED = 2;
/** What is kept for the agent and for who watches. */
const BACKLOG_BYTES = 256 * 1024;
const READ_BYTES = 64 * 1024;
/** A shell that has shown nothing by then stands all the same. */
const FIRST_WORD_MS = 5_000;
/** What is shown in one go mostly comes in several pieces. */
const QUIET_MS = 60;

export type ShellWorld = {
  readonly connect: (permit: RecordedPermit, onShown: (bytes: Uint8Array) => void) => ShellConnection;
  /** Throws when it cannot be written. */
  readonly transcript: (agent: AgentName, call: CallId, head: CastHead) => Result<Transcript>;
  readonly redact: RedactPort;
  readonly isRevoked: (grant: GrantId) => boolean;
  readonly clock: { readonly now: () => number; readonly wall: () => string };
  readonly onFault: (fault: unknown) => void;
  readonly idleMs?: number;
};

export type OpenShells = ShellPort & WatchedShells & {
  /** A grant may have been revoked. */
  readonly look: () => void;
  readonly sessionClosed: (session: SessionId) => void;
  /** Ends all, and answers when their ends are recorded. */
  readonly close: () => Promise<void>;
};

type Shell = {
  readonly id: CallId;
  readonly agent: AgentName;
  readonly owner: ShellOwner;
  readonly size: TerminalSize;
  readonly openedAt: string;
  readonly shown: Backlog;
  readonly reader: ScreenReader;
  /** How far its agent has read. */
  read: number;
  /** Who waits for a change. */
  readonly waiting: Set<() => void>;
  readonly done: Promise<ShellEnd>;
  /** Into the transcript. False when it could not be, which ends the shell. */
  readonly record: (code: 'o' | 'i', text: string) => boolean;
  connection: ShellConnection | null;
  how: ShellEnding | null;
  end: ShellEnd | null;
  idle: NodeJS.Timeout;
};

export function openShells(world: ShellWorld): OpenShells {
  const { clock, onFault } = world;
  const known = new Map<string, Shell>();
  const following = new Set<Promise<unknown>>();
  let closed = false;

  const of = (agent: AgentName): readonly Shell[] => [...known.values()].filter((shell) => shell.agent === agent);
  const hasRoom = (agent: AgentName): Result<true> => {
    const open = of(agent).filter(({ end }) => end === null).length;
    return open < MOST_OPEN ? accept(true) : refuse(`${open} shells are open, and ${MOST_OPEN} are the most`);
  };

  /** Its own word comes first: who ends it later changes nothing. */
  function finish(shell: Shell, how: ShellEnding): void {
    if (shell.how !== null || shell.end !== null) return;
    shell.how = how;
    if (how === 'closed' || how === 'idle') shell.connection?.hangUp();
    else shell.connection?.kill();
  }

  async function open(permit: RecordedPermit, owner: ShellOwner, cancelled: AbortSignal): Promise<OpenedShell> {
    const { agent, call: id, plan } = permit.permit;
    const room = closed ? refuse('holdfastd is stopping') : hasRoom(agent);
    if (!room.ok) return { stands: false, end: { how: 'lost', ran: room, transcript: null } };
    const size = plan.terminal!;
    const openedAt = clock.wall();
    const begun = clock.now();
    const written = transcriptOf(agent, id, { ...size, title: `${agent} ${id}`, timestamp: Math.floor(Date.parse(openedAt) / 1000), env: { SHELL: plan.argv[0]!, TERM: plan.env['TERM'] ?? '' } });
    if (!written.ok) return { stands: false, end: { how: 'unrecorded', ran: written, transcript: null } };
    const transcript = redactedTranscript(written.value, world.redact, (fault) => {
      onFault(fault);
      finish(shell, 'unrecorded');
    });
    forgetOldest(agent);
    let settle: (end: ShellEnd) => void = () => undefined;
    const done = new Promise<ShellEnd>((resolve) => (settle = resolve));
    const idle = setTimeout(() => finish(shell, 'idle'), world.idleMs ?? SHELL_IDLE_MS).unref();
    const record = (code: 'o' | 'i', text: string): boolean => {
      try {
        transcript.event(clock.now() - begun, code, text);
        return true;
      } catch (fault) {
        onFault(fault);
        finish(shell, 'unrecorded');
        return false;
      }
    };
    const utf8 = new TextDecoder();
    const shell: Shell = {
      id, agent, owner, size, openedAt, idle, done, record,
      shown: openBacklog(BACKLOG_BYTES), reader: openScreenReader(), read: 0, waiting: new Set(), connection: null, how: null, end: null,
    };
    known.set(id, shell);
    // Recorded first: nobody sees what is not.
    shell.connection = world.connect(permit, (bytes) => {
      if (!record('o', utf8.decode(bytes, { stream: true }))) return;
      shell.shown.append(bytes);
      wake(shell);
    });
    void shell.connection.ended.then(async (ran) => {
      clearTimeout(shell.idle);
      const kept = await ended(transcript, clock.now() - begun);
      shell.end = { how: kept === null ? 'unrecorded' : endingOf(shell.how, ran), ran, transcript: kept };
      settle(shell.end);
      wake(shell);
      if (shell.how === 'disconnected') known.delete(id);
    });
    const stop = (): void => finish(shell, 'cancelled');
    if (cancelled.aborted) stop();
    cancelled.addEventListener('abort', stop, { once: true });
    await something(shell, clock.now() + FIRST_WORD_MS, cancelled);
    cancelled.removeEventListener('abort', stop);
    if (shell.how !== null) await done;
    if (shell.end !== null) {
      known.delete(id);
      return { stands: false, end: shell.end };
    }
    return { stands: true, seen: { shell: id, ...screenOf(shell, false) } };
  }

  function transcriptOf(agent: AgentName, id: CallId, head: CastHead): Result<Transcript> {
    try {
      return world.transcript(agent, id, head);
    } catch (fault) {
      onFault(fault);
      return refuse('what it shows cannot be recorded, and what cannot be recorded does not run');
    }
  }

  async function ended(transcript: RedactedTranscript, sinceMs: number): Promise<ShellEnd['transcript']> {
    try {
      return await transcript.end(sinceMs);
    } catch (fault) {
      onFault(fault);
      return null;
    }
  }

  function forgetOldest(agent: AgentName): void {
    const over = of(agent).filter(({ end }) => end !== null);
    for (const { id } of over.slice(0, Math.max(0, over.length - MOST_ENDED + 1))) known.delete(id);
  }

  /** Waits for something that its agent has not read, and then for a pause. */
  async function something(shell: Shell, until: number, cancelled: AbortSignal): Promise<void> {
    const goesOn = (): boolean => shell.end === null && clock.now() < until && !cancelled.aborted && shell.shown.end() - shell.read < READ_BYTES;
    while (goesOn() && shell.shown.end() === shell.read) await changed(shell, until - clock.now(), cancelled);
    while (goesOn() && (await changed(shell, Math.min(QUIET_MS, until - clock.now()), cancelled)));
  }

  async function use(intent: { readonly agent: AgentName }, id: string, what: ShellUse, bounds: { readonly notAfter: number; readonly cancelled: AbortSignal }): Promise<Result<JsonObject>> {
    const shell = known.get(id);
    if (shell === undefined || shell.agent !== intent.agent) return refuse('the shell is over');
    shell.idle.refresh();
    switch (what.what) {
      case 'write': {
        if (shell.end !== null || shell.how !== null) return refuse('the shell has ended; shell.read returns what it showed last');
        const bytes = Buffer.from(what.text);
        if (!shell.connection!.type(bytes)) return refuse('the program in the shell does not read what is typed; read what it shows, or close it');
        if (!shell.record('i', what.text)) return refuse('what is typed cannot be written down; the shell is ended');
        return accept({ bytes: bytes.length });
      }
      case 'read': {
        const until = Math.min(clock.now() + what.waitMs, bounds.notAfter);
        await something(shell, until, bounds.cancelled);
        // Nobody takes it: it stays for the next one.
        return bounds.cancelled.aborted ? refuse('its client cancelled it') : accept(screenOf(shell, what.raw));
      }
      case 'close':
        finish(shell, 'closed');
        await shell.done;
        known.delete(id);
        return accept(screenOf(shell, false));
    }
  }

  async function watch(agent: AgentName, id: string, from: number | null, waitMs: number): Promise<Result<ShellShown>> {
    const shell = known.get(id);
    if (shell === undefined || shell.agent !== agent) return refuse(`${agent} has no shell ${id}`);
    const at = from ?? 0;
    if (shell.shown.end() <= at && shell.end === null) await changed(shell, waitMs);
    const { bytes, missed, next } = shell.shown.read(at, READ_BYTES);
    const over = shell.end !== null && next === shell.shown.end();
    return accept({ bytes, missed: from === null ? 0 : missed, next, running: !over, ended: over ? shell.end!.how : null });
  }

  return {
    isOpen: (agent, id) => known.get(id)?.agent === agent,
    hasRoom,
    open,
    use,
    afterwards: (call, then) => {
      const shell = known.get(call);
      if (shell === undefined) return void then(null);
      const work = shell.done.then(then).catch(onFault);
      following.add(work);
      void work.then(() => following.delete(work));
    },
    look: () => {
      for (const shell of known.values()) if (shell.owner.grants.some(world.isRevoked)) finish(shell, 'revoked');
    },
    sessionClosed: (session) => {
      for (const shell of known.values()) {
        if (shell.owner.session !== session) continue;
        if (shell.end !== null) known.delete(shell.id);
        else finish(shell, 'disconnected');
      }
    },
    list: (agent) => of(agent).map(({ id, size, end, openedAt }) => ({ shell: id, ...size, running: end === null, openedAt })),
    watch,
    close: async () => {
      closed = true;
      for (const shell of known.values()) finish(shell, 'stopping');
      await Promise.all([...known.values()].map(({ done }) => done));
      await Promise.allSettled(following);
    },
  };
}

function endingOf(how: ShellEnding | null, ran: Result<RunResult>): ShellEnding {
  if (how !== null) return how;
  return ran.ok ? (ran.value.deadline ? 'deadline' : 'itself') : 'lost';
}

/** What its agent has not read. */
function screenOf(shell: Shell, raw: boolean): JsonObject {
  const { bytes, missed, next } = shell.shown.read(shell.read, READ_BYTES);
  shell.read = next;
  const over = shell.end !== null && next === shell.shown.end();
  const { ran = null, how = null } = over ? shell.end! : {};
  return { text: shell.reader.read(bytes, missed > 0, raw), missed, running: !over, exit: ran?.ok === true ? ran.value.exit : null, ended: how };
}

function wake({ waiting }: Shell): void {
  for (const tell of waiting) tell();
}

/** True when something came, or it ended; false when the time is over. */
function changed({ waiting }: Shell, ms: number, cancelled?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (came: boolean): void => {
      clearTimeout(late);
      waiting.delete(tell);
      cancelled?.removeEventListener('abort', give);
      resolve(came);
    };
    const tell = (): void => settle(true);
    const give = (): void => settle(false);
    const late = setTimeout(give, Math.max(1, ms)).unref();
    waiting.add(tell);
    cancelled?.addEventListener('abort', give, { once: true });
  });
}
