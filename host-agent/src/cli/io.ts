// SPDX-License-Identifier: Apache-2.0
import type { Paths } from '../effects/paths.ts';
import type { Screen } from './screen.ts';

/** What a command has of the world. The shell runs many commands on one of these. */
export type Io = {
  readonly screen: Screen;
  readonly stdin: NodeJS.ReadableStream;
  /** Bytes as they are, for what is not for eyes. */
  readonly raw: { readonly write: (bytes: Uint8Array) => Promise<void>; readonly inputIsTerminal: boolean; readonly outputIsTerminal: boolean };
  readonly paths: Paths;
  readonly root: string;
  readonly uid: number;
  /** The name somebody logged in with, as sshd says it: for words to them, never for a decision. */
  readonly login: string;
  /** Ends `--follow` and waits: Ctrl-C, or a reader of our output that has gone. */
  readonly stop: AbortSignal;
};
