// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { bootId } from './effects/clock.ts';
import type { AgentName } from './identity/ids.ts';
import { sha256Hex } from './ledger/digest.ts';
import type { EntryDraft } from './ledger/entry.ts';
import { isReceiptValid, parseReceiptKey } from './ledger/receipt.ts';
import { exampleDraft } from './ledger/testdata/example-chain.ts';
import { entryOf, everything, useLedgerRole } from './testdata/ledger-role.ts';

const { paths, start, kill, client, reader, appended } = useLedgerRole();

/** Speaks to a socket directly, to say what no client of ours would. */
async function raw(path: string, line: string): Promise<string> {
  const socket = connect(path);
  socket.on('error', () => {});
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
  socket.write(line);
  await Promise.race([once(socket, 'close'), (async () => { while (!got.endsWith('\n')) await sleep(5); })()]);
  socket.destroy();
  return got;
}

describe('a boot', () => {
  test('is the first entry; a restart within it adds none', async () => {
    await start();
    const first = await (await reader()).head();
    expect(first).toMatchObject({ boot: bootId(), first: 1, seq: 1, segments: 1, keyProtection: 'file', problem: null });
    await kill('SIGTERM');
    await start();
    const again = await reader();
    expect(await again.head()).toEqual(first);
    const [boot] = (await everything(again)).map(entryOf);
    const data = { boot: bootId(), previous: null };
    expect(boot).toMatchObject({ seq: 1, kind: 'boot', source: 'holdfast-ledger', source_seq: 1, data });
  });

  test('ends in order on SIGTERM, and nobody else may read the state', async () => {
    const role = await start();
    const ended = once(role, 'exit');
    role.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    const state = paths().ledgerState;
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(statSync(`${state}/signing.key`).mode & 0o777).toBe(0o600);
    expect(readdirSync(`${state}/segments`)).toEqual(['0000000001.db']);
    expect(readFileSync(`${state}/head`, 'utf8')).toContain('"closed":true');
  });
});

describe('appending', () => {
  test('the answer is the place and hash of what can then be read', async () => {
    await start();
    const { seq, hash, receipt } = await appended(exampleDraft(1));
    expect([seq, receipt]).toEqual([2, null]);
    const page = await (await reader()).query({ afterSeq: 1 });
    expect(page.entries[0]!.hash).toBe(hash);
    expect(entryOf(page.entries[0]!)).toMatchObject({ ...exampleDraft(1), source: 'holdfastd', source_seq: 1 });
  });

  test('many at once by many writers: each is there once, each writer in its own order', async () => {
    await start();
    const writers = Array.from({ length: 8 }, client);
    const seqs = await Promise.all(writers.map(async (writer, at) => {
      const own = Array.from({ length: 100 }, (_, n) => appended({ ...exampleDraft(n), data: { writer: at, n } }, writer));
      return (await Promise.all(own)).map(({ seq }) => seq);
    }));
    for (const own of seqs) expect(own).toEqual(own.toSorted((a, b) => a - b));
    expect(new Set(seqs.flat()).size).toBe(800);
    const read = await reader();
    const entries = (await everything(read)).map(entryOf).slice(1);
    for (const [at, own] of seqs.entries()) {
      expect(own.map((seq) => entries[seq - 2]!.data)).toEqual(own.map((_, n) => ({ writer: at, n })));
    }
    expect(await read.verify()).toMatchObject({ verified: 801 });
  });

  test('a permit gets a receipt that holds under the published key, for this entry only', async () => {
    await start();
    const permit = { digest: sha256Hex(Buffer.from('permit')), agent: 'scout' as AgentName, notAfter: 99_000 };
    const data = { agent: 'scout', permit_digest: permit.digest, not_after: 99_000 };
    const intent: EntryDraft = { ...exampleDraft(0), kind: 'call.intent', data };
    const writer = client();
    const result = await writer.append(intent, permit);
    if (!result.ok || result.value.receipt === null) throw new Error('no receipt');
    const { receipt, seq } = result.value;
    expect(receipt).toMatchObject({ boot: bootId(), seq, permit: permit.digest, agent: 'scout', notAfter: 99_000 });
    const key = parseReceiptKey(readFileSync(paths().receiptKey, 'utf8'));
    expect(key.ok && isReceiptValid(receipt, key.value)).toBe(true);
    expect((await (await reader()).head()).receiptKey).toBe(readFileSync(paths().receiptKey, 'utf8').trim());

    const before = (await (await reader()).head()).seq;
    const others: [EntryDraft, typeof permit][] = [
      [{ ...intent, kind: 'call.outcome' }, permit],
      [intent, { ...permit, digest: 'a'.repeat(64) }],
      [intent, { ...permit, agent: 'builder' as AgentName }],
      [intent, { ...permit, notAfter: 99_001 }],
    ];
    for (const [draft, stamp] of others) expect(await writer.append(draft, stamp)).toMatchObject({ ok: false });
    expect((await (await reader()).head()).seq).toBe(before);
  });

  test('what is not a draft is refused with the reason, and changes nothing', async () => {
    await start();
    const path = paths().ledgerAppendSocket;
    const draft = exampleDraft(1);
    const line = (fields: object): string => `${JSON.stringify({ id: 1, op: 'append', draft, permit: null, ...fields })}\n`;
    expect(JSON.parse(await raw(path, line({})))).toMatchObject({ id: 1, ok: true, seq: 2 });
    const wrong: [string, string][] = [
      [line({ op: 'delete' }), 'op must be append'],
      [line({ source: 'root' }), '"source" is unknown'],
      [line({ draft: { ...draft, kind: 'boot' } }), 'holdfastd may not write'],
      [line({ draft: { ...draft, seq: 1 } }), '"seq" is unknown'],
      [line({ draft: { ...draft, actor: { type: 'agent', id: '' } } }), 'actor.id'],
      [line({ draft: { ...draft, data: { share: 0.5 } } }), '$.data.share'],
      [line({ draft: { ...draft, data: { text: 'x'.repeat(300_000) } } }), 'at most 262144 are kept'],
      [line({ id: 0 }), 'id must be'],
      ['[]\n', 'must be an object'],
      ['{"id":1,\n', 'not JSON'],
      [`${'x'.repeat(1024 * 1024 + 1)}`, 'longer than'],
    ];
    for (const [bytes, why] of wrong) {
      expect(JSON.parse(await raw(path, bytes))).toMatchObject({ ok: false, error: expect.stringContaining(why) });
    }
    expect((await (await reader()).head()).seq).toBe(2);
  });

  test('a writer that never reads is cut off, others go on', async () => {
    await start();
    const silent = connect(paths().ledgerAppendSocket);
    silent.on('error', () => {});
    silent.pause();
    const line = `${JSON.stringify({ id: 1, op: 'append', draft: { ...exampleDraft(1), kind: 'boot' }, permit: null })}\n`.repeat(200);
    for (let n = 0; n < 5000 && !silent.destroyed; n += 1) {
      silent.write(line);
      while (!silent.destroyed && silent.writableLength > 1024 * 1024) await sleep(5);
    }
    expect(silent.destroyed).toBe(true);
    expect(await appended(exampleDraft(2))).toMatchObject({ seq: 2 });
  });
});

describe('reading', () => {
  test('followers get everything from where they begin, in order, without a gap, while it is written', async () => {
    await start();
    const writer = client();
    for (let n = 0; n < 20; n += 1) await appended(exampleDraft(n), writer);
    const stop = new AbortController();
    const seen: number[][] = Array.from({ length: 10 }, () => []);
    const refused: number[] = [];
    const read = await reader();
    const following = [
      ...seen.map((own, at) => read.follow({ afterSeq: at }, (entry) => own.push(entryOf(entry).seq), stop.signal)),
      read.follow({ kind: 'call.refused' }, (entry) => refused.push(entryOf(entry).seq), stop.signal),
    ];
    await sleep(50);
    await Promise.all(Array.from({ length: 200 }, (_, n) => appended(exampleDraft(n), writer)));
    for (let n = 0; n < 100 && seen.some((own) => own.at(-1) !== 221); n += 1) await sleep(20);
    for (const [at, own] of seen.entries()) expect(own).toEqual(Array.from({ length: 221 - at }, (_, n) => n + at + 1));
    expect(refused).toHaveLength(50);
    stop.abort();
    await Promise.all(following);
  });

  test('a follower that does not read holds nobody up and is served when it does', async () => {
    await start();
    const slow = connect(paths().ledgerQuerySocket);
    slow.pause();
    slow.write(`${JSON.stringify({ id: 1, op: 'follow', filter: { afterSeq: 0 } })}\n`);
    await sleep(50);
    const writer = client();
    const big = { ...exampleDraft(1), data: { text: 'x'.repeat(50_000) } };
    for (let n = 0; n < 100; n += 1) await appended(big, writer);
    let lines = 0;
    slow.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines += 1;
    });
    slow.resume();
    for (let n = 0; n < 200 && lines < 101; n += 1) await sleep(20);
    expect(lines).toBe(101);
    slow.destroy();
  });

  test('verifying is cut into slices: appends are answered meanwhile (E17)', async () => {
    await start();
    const writer = client();
    await Promise.all(Array.from({ length: 5000 }, (_, n) => appended(exampleDraft(n), writer)));
    const read = await reader();
    let verified = false;
    const verifying = read.verify().then((answer) => {
      verified = true;
      return answer;
    });
    let meanwhile = 0;
    while (!verified) {
      await appended(exampleDraft(1), writer);
      if (!verified) meanwhile += 1;
    }
    // How many appends came before the verification began is not ours to say: they are other connections.
    const answer = await verifying;
    expect(answer).toMatchObject({ first: 1 });
    expect(answer).toHaveProperty('verified', (answer as { last?: number }).last);
    expect((answer as { last: number }).last).toBeGreaterThanOrEqual(5001);
    expect(meanwhile).toBeGreaterThan(3);
  });

  test('questions that make no sense are refused', async () => {
    await start();
    const path = paths().ledgerQuerySocket;
    expect(JSON.parse(await raw(path, '{"id":1,"op":"head"}\n'))).toMatchObject({ id: 1, ok: true, seq: 1 });
    const wrong: [string, string][] = [
      ['{"id":1,"op":"append"}', 'op must be'],
      ['{"op":"head"}', 'positive id'],
      ['{"id":1,"op":"head","more":1}', '"more" is unknown'],
      ['{"id":1,"op":"query"}', 'filter is missing'],
      ['{"id":1,"op":"query","filter":{"agent":1}}', 'agent must be text'],
      ['{"id":1,"op":"verify","from":2,"to":1}', 'comes after'],
      ['{"id":1,"op":"verify","from":9}', 'ends at entry 1'],
      ['{"id":1,"op":"follow","filter":{"limit":1}}', 'has no limit'],
    ];
    for (const [line, why] of wrong) {
      expect(JSON.parse(await raw(path, `${line}\n`))).toMatchObject({ ok: false, error: expect.stringContaining(why) });
    }
  });
});

describe('faults', () => {
  test('a damaged ledger takes no entries, and says which one is bad', async () => {
    await start();
    const writer = client();
    for (let n = 0; n < 5; n += 1) await appended(exampleDraft(n), writer);
    await kill('SIGTERM');
    rmSync(`${paths().ledgerState}/segments/0000000001.db`);
    await start();
    const result = await writer.append(exampleDraft(9), null);
    const error: unknown = expect.stringMatching(/^ledger_unavailable: nothing was recorded; every segment is gone/);
    expect(result).toMatchObject({ ok: false, error });
    const read = await reader();
    expect(await read.head()).toMatchObject({ seq: 6, problem: expect.stringContaining('every segment is gone') });
    expect(await read.verify()).toMatchObject({ bad: { seq: 1 } });
  });

  test('E12: a full disk refuses entries and nothing else; with space again it goes on', async () => {
    const role = await start(600);
    const writer = client();
    const big = { ...exampleDraft(1), data: { text: 'x'.repeat(20_000) } };
    const recorded: number[] = [];
    const refusals: string[] = [];
    // What is written twice, to the log and to the segment, is folded together once before it is really full.
    for (let n = 0; n < 300 && refusals.length < 5; n += 1) {
      const result = await writer.append(big, null);
      if (!result.ok) refusals.push(result.error);
      else {
        recorded.push(result.value.seq);
        refusals.length = 0;
      }
    }
    expect(recorded.length).toBeGreaterThan(3);
    expect(refusals).toHaveLength(5);
    for (const refusal of refusals) expect(refusal).toMatch(/^ledger_unavailable: nothing was recorded/);
    const read = await reader();
    expect(await read.head()).toMatchObject({ seq: recorded.at(-1), problem: null });
    expect(await read.verify()).toMatchObject({ verified: recorded.at(-1) });

    execFileSync('prlimit', ['--pid', String(role.pid), '--fsize=unlimited']);
    expect(await appended(big, writer)).toMatchObject({ seq: recorded.at(-1)! + 1 });
    expect(await read.verify()).toMatchObject({ verified: recorded.at(-1)! + 1 });
  });

  test('an append whose answer never came is a fault that says so, and is not sent again', async () => {
    const role = await start();
    const writer = client();
    await appended(exampleDraft(1), writer);
    role.kill('SIGSTOP');
    const outcome = writer.append(exampleDraft(2), null).then(() => 'answered', (fault: Error) => fault.message);
    await sleep(50);
    await kill('SIGKILL');
    expect(await outcome).toContain('not known whether recorded');
    await start();
    // The same client goes on by itself.
    await appended(exampleDraft(3), writer);
    const calls = (await everything(await reader())).map(entryOf).map((entry) => entry.data['call']);
    expect(calls.filter((call) => call === 'c2').length).toBeLessThanOrEqual(1);
    expect(calls.at(-1)).toBe('c3');
  });

  test('without a ledger nothing was recorded, and that is what is said', async () => {
    const result = await client().append(exampleDraft(1), null);
    expect(result).toMatchObject({ ok: false, error: expect.stringContaining('ledger_unavailable: nothing was recorded') });
  });
});
