// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { openTokenBucket } from '../door/token-bucket.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { atBootMillis, bootMillis } from './clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import { ANSWER_MS } from './run-wire.ts';
import { keysLine, parseShellSaid } from './shell-wire.ts';

/** A call with a terminal, over a connection of its own: whose end is the call's end. */
export type ShellConnection = {
  /** How it ended; never throws. */
  readonly ended: Promise<Result<RunResult>>;
  /** False when so much waits that the program does not seem to read. */
  readonly type: (bytes: Uint8Array) => boolean;
  /** As when a telephone line is cut: the shell's programs are told by SIGHUP, and what does not end is killed a moment later. */
  readonly hangUp: () => void;
  readonly kill: () => void;
};

const ID = 1;
/** Keys that the program has not read. */
const WAITING_MAX = 64 * 1024;
const HANG_UP_MS = 1_500;
/** A runner that does not end what it was told to kill is not waited for: it ends it with the connection, or call-init at not-after. */
const KILL_MS = 5_000;
/** What a shell may show, in bytes of lines. A program that shows more waits: holdfastd serves the other agents meanwhile (B22). */
const RATE = { perSecond: 128 * 1024, burst: 512 * 1024 };

export function connectShell(path: string, permit: Permit, receipt: Receipt, onShown: (bytes: Uint8Array) => void, now: () => number = bootMillis): ShellConnection {
  const socket = connect(path);
  const bucket = openTokenBucket(RATE, now());
  let waiting = 0;
  let why = 'it closed the connection';
  let settle: (result: Result<RunResult>) => void = () => undefined;
  const ended = new Promise<Result<RunResult>>((resolve) => (settle = resolve));

  function lose(reason: string): void {
    settle(refuse(`connection: the runner went away before its answer: ${reason}`));
    socket.destroy();
  }

  void ended.then(atBootMillis(permit.notAfter + ANSWER_MS, () => lose('it did not answer when the time of the call was over'), now));
  socket.on('error', (fault) => (why = fault.message));
  socket.on('close', () => lose(why));
  readJsonLines(socket, {
    maxBytes: MAX_LINE,
    waitFor: (bytes) => bucket.charge(now(), bytes),
    onValue: (value) => {
      const said = parseShellSaid(value, ID);
      if (said === null) return lose('it does not speak the protocol');
      if ('shown' in said) return onShown(said.shown);
      if ('taken' in said) return void (waiting = Math.max(0, waiting - said.taken));
      settle(said.ended);
      socket.destroy();
    },
    onViolation: lose,
  });
  if (!writeJsonLine(socket, { id: ID, op: 'run', permit, receipt, stdin: null } as unknown as JsonValue)) lose('it does not take requests');

  const later = (ms: number, what: () => void): void => {
    const late = setTimeout(what, ms).unref();
    void ended.then(() => clearTimeout(late));
  };
  const kill = (): void => {
    writeJsonLine(socket, { id: ID, op: 'cancel' });
    later(KILL_MS, () => lose('it did not end what it was told to kill'));
  };
  return {
    ended,
    type: (bytes) => {
      if (waiting + bytes.length > WAITING_MAX) return false;
      waiting += bytes.length;
      return writeJsonLine(socket, keysLine(ID, bytes));
    },
    hangUp: () => {
      writeJsonLine(socket, { id: ID, op: 'hang-up' });
      later(HANG_UP_MS, kill);
    },
    kill,
  };
}
