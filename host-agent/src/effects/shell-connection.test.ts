// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit } from '../sandbox/permit.ts';
import { ANSWER_MS } from './run-wire.ts';
import { connectShell } from './shell-connection.ts';
import { shownLine } from './shell-wire.ts';

// A runner has its agent's uid: here it is the agent that keeps a shell open. Real ones are in runner.native.test.ts.

test('a shell whose time is over ends, whatever its runner goes on showing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-shell-'));
  let closed = false;
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('close', () => (closed = true)).resume();
    socket.write(`${JSON.stringify(shownLine(1, Buffer.from('up')))}\n`);
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  try {
    let shown = '';
    const permit = { notAfter: Math.floor(performance.now()) - ANSWER_MS + 300 } as Permit;
    const shell = connectShell(join(dir, 's'), permit, {} as Receipt, (bytes) => (shown += Buffer.from(bytes).toString()), () => performance.now());
    expect(await shell.ended).toEqual({ ok: false, error: expect.stringMatching(/^connection: .* did not answer when the time of the call was over$/) });
    expect(shown).toBe('up');
    await vi.waitFor(() => expect(closed).toBe(true));
  } finally {
    server.close();
    rmSync(dir, { recursive: true });
  }
});
