// SPDX-License-Identifier: Apache-2.0
import type { ShellShownView, ShellView } from '../door/operator-wire.ts';
import { askOperator, type Asked } from '../effects/operator-client.ts';
import { openEscapeParser, type Piece } from '../terminal/escape-parser.ts';
import { asLines, ENTER_SCREEN, LEAVE_SCREEN, onScreen } from '../terminal/screen-filter.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

const CTRL_C = 0x03;
const ANSWER_MS = 60_000;

/**
 * Shows what an agent's shell shows. On a terminal it gets a screen of its own, of which everything is put right when we leave; what it
 * may do there is an allow-list (terminal/screen-filter.ts). Into a pipe go lines of text.
 */
export async function attach(io: Io, given: Given): Promise<ExitCode> {
  const agent = given.operands[0] ?? '';
  const shells = await ask<readonly ShellView[]>(io, { op: 'shells', agent });
  if (!shells.ok) return shells.exit;
  const wanted = given.options.get('shell');
  const shell = shells.value.findLast((s) => (wanted === undefined ? s.running : s.shell === wanted));
  if (shell === undefined) {
    io.screen.complain(styled('refused: ', 'red'), wanted === undefined ? `${agent} has no shell open; an agent opens one with its tool shell.open, when it holds shell:open` : `${agent} has no shell ${wanted}`);
    return EXIT.refused;
  }
  const options = { unicode: given.options.has('unicode') };
  const screen = io.raw.outputIsTerminal;
  const show = (pieces: readonly Piece[]): Promise<void> =>
    io.raw.write(Buffer.from(pieces.map((piece) => (screen ? onScreen(piece, options) : asLines(piece, options))).join('')));
  const leave = await enter(io, screen);
  let last: Asked<ShellShownView>;
  try {
    last = await follow(io, agent, shell.shell, show, leave.stopped);
  } finally {
    await leave.done();
  }
  if (last.ok === false || last.ok === null) {
    io.screen.complain(styled('unavailable: ', 'red'), last.error);
    return EXIT.unavailable;
  }
  const { ended } = last.value;
  io.screen.complain(ended === null ? `no longer watching ${shell.shell}, which runs on` : `${shell.shell} has ended (${ended})`);
  return EXIT.ok;
}

async function follow(io: Io, agent: string, shell: string, show: (pieces: readonly Piece[]) => Promise<void>, stopped: AbortSignal): Promise<Asked<ShellShownView>> {
  const parser = openEscapeParser();
  const utf8 = new TextDecoder();
  let from: number | null = null;
  for (;;) {
    const asked: Asked<ShellShownView> = await askOperator<ShellShownView>(io.paths.operatorSocket, { op: 'shell-watch', agent, shell, from }, ANSWER_MS, stopped);
    if (stopped.aborted) return { ok: true, value: { data: '', missed: 0, next: from ?? 0, running: true, ended: null } };
    if (!asked.ok) return asked;
    const { data, missed, next, running }: ShellShownView = asked.value;
    // What had begun before the gap does not go on behind it.
    if (missed > 0) await show([...parser.end(), { kind: 'text', text: `(${missed} bytes were not watched in time)` }]);
    await show(parser.feed(utf8.decode(Buffer.from(data, 'base64'), { stream: true })));
    from = next;
    if (running) continue;
    await show(parser.end());
    return asked;
  }
}

type Entered = { readonly stopped: AbortSignal; readonly done: () => Promise<void> };

/** Keys are not shown, and one that is pressed does nothing but Ctrl-C: nobody types into an agent's shell from here. */
async function enter(io: Io, screen: boolean): Promise<Entered> {
  const left = new AbortController();
  const stopped = AbortSignal.any([io.stop, left.signal]);
  const { stdin } = io;
  const keys = screen && io.raw.inputIsTerminal && 'setRawMode' in stdin ? (stdin as NodeJS.ReadStream) : null;
  const onKeys = (bytes: Buffer): void => {
    if (bytes.includes(CTRL_C)) left.abort();
  };
  keys?.setRawMode(true);
  keys?.on('data', onKeys);
  if (screen) await io.raw.write(Buffer.from(ENTER_SCREEN));
  return {
    stopped,
    done: async () => {
      keys?.off('data', onKeys);
      keys?.setRawMode(false);
      keys?.pause();
      await io.raw.write(Buffer.from(screen ? LEAVE_SCREEN : '\n'));
    },
  };
}
