// SPDX-License-Identifier: Apache-2.0
import { writeDurably } from './durable-file.ts';
import { join } from 'node:path';

/** Beside the agent's door, so that it is seen wherever the door is. The folder's group is the agent's: it may read and nothing else. */
export function writeGuide(doors: string, agent: string, text: string): void {
  writeDurably(join(doors, agent, 'AGENTS.md'), text, 0o640);
}
