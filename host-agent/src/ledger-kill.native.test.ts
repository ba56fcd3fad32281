// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { LedgerClient } from './effects/ledger-client.ts';
import { exampleDraft } from './ledger/testdata/example-chain.ts';
import { entryOf, everything, useLedgerRole } from './testdata/ledger-role.ts';

const KILLS = Number(process.env['HOLDFAST_COUNT'] ?? 5);
const { start, kill, client, reader } = useLedgerRole();

test(`killed under load ${KILLS} times: no acknowledged entry is missing, verify is green`, async () => {
  const acknowledged = new Map<number, { readonly hash: string; readonly n: number }>();
  let n = 0;
  let running = true;
  await start();

  async function write(writer: LedgerClient): Promise<void> {
    while (running) {
      n += 1;
      const own = n;
      const result = await writer.append({ ...exampleDraft(own), data: { n: own } }, null).catch(() => null);
      if (result === null || !result.ok) {
        await sleep(1);
        continue;
      }
      expect(acknowledged.has(result.value.seq)).toBe(false);
      acknowledged.set(result.value.seq, { hash: result.value.hash, n: own });
    }
  }

  const writers = Array.from({ length: 16 }, () => write(client()));
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = acknowledged.size;
    await sleep(20 + Math.random() * 120);
    while (acknowledged.size === before) await sleep(5);
    await kill('SIGKILL');
    await start();
  }
  running = false;
  await Promise.all(writers);

  const read = await reader();
  const head = await read.head();
  expect(head.problem).toBeNull();
  expect(await read.verify()).toMatchObject({ verified: head.seq });
  const entries = new Map((await everything(read)).map((entry) => [entryOf(entry).seq, entry]));
  for (const [seq, { hash, n: own }] of acknowledged) {
    const entry = entries.get(seq);
    expect(entry?.hash, `entry ${seq}`).toBe(hash);
    expect(entryOf(entry!).data).toEqual({ n: own });
  }
  expect(acknowledged.size).toBeGreaterThan(KILLS);
}, 3_600_000);

