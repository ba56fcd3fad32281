// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JsonValue } from '../ledger/entry.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'hf-lines-'));
const path = join(folder, 's');
let server: Server;
let peer: Socket;
let ours: Socket;
let values: JsonValue[];
let violations: string[];

beforeEach(async () => {
  values = [];
  violations = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  peer = connect(path);
  peer.on('error', () => {});
  ours = await accepted;
  ours.on('error', () => {});
  readJsonLines(ours, { maxBytes: 1000, onValue: (value) => values.push(value), onViolation: (reason) => violations.push(reason) });
});
afterEach(() => {
  peer.destroy();
  ours.destroy();
  server.close();
});

afterAll(() => rmSync(folder, { recursive: true }));

const until = async (condition: () => boolean): Promise<void> => {
  for (let n = 0; n < 200 && !condition(); n += 1) await sleep(10);
  expect(condition()).toBe(true);
};

describe('a line that has to wait', () => {
  test('is not parsed before its time, nothing is read meanwhile, and the end comes after the last line', async () => {
    const [mine, theirs] = await another();
    const order: JsonValue[] = [];
    const costs: number[] = [];
    const reading = readJsonLines(mine, {
      maxBytes: 1000,
      waitFor: (bytes) => (costs.push(bytes), 60),
      onValue: (value) => order.push(value),
      onViolation: (reason) => order.push(reason),
      onEnd: () => order.push('end'),
    });
    theirs.end('1\n[2]\n3\n');
    await until(() => reading.waits());
    expect(order).toEqual([]);
    // Somebody else resumes the socket: nothing is lost, nothing comes early.
    mine.resume();
    await sleep(20);
    expect([order, costs]).toEqual([[], [2]]);
    await until(() => order.length === 4);
    expect([order, costs]).toEqual([[1, [2], 3, 'end'], [2, 4, 2]]);
  });

  test('a broken one ends the connection when its time has come', async () => {
    const [mine, theirs] = await another();
    const order: JsonValue[] = [];
    const asked = (bytes: number): number => (bytes === 2 ? 0 : 30);
    readJsonLines(mine, { maxBytes: 1000, waitFor: asked, onValue: (value) => order.push(value), onViolation: (why) => order.push(why) });
    theirs.write('1\nnope\n2\n');
    await until(() => order.length === 2);
    await until(() => mine.destroyed || mine.writableEnded);
    expect(order).toEqual([1, expect.stringContaining('unknown word')]);
  });

  async function another(): Promise<[Socket, Socket]> {
    // As at the door: who has said all is still answered.
    const half = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => half.listen(`${path}.half`, resolve));
    const accepted = new Promise<Socket>((resolve) => half.once('connection', resolve));
    const theirs = connect(`${path}.half`);
    theirs.on('error', () => {});
    const mine = await accepted;
    half.close();
    mine.on('error', () => {});
    return [mine, theirs];
  }
});

describe('reading', () => {
  test('lines come as values, however the bytes were cut', async () => {
    const bytes = Buffer.from('{"a":"é"}\n[1]\n"x"\n');
    for (const byte of bytes) {
      peer.write(Buffer.of(byte));
      await sleep(0);
    }
    peer.write('true\nfalse\r\n1');
    peer.write('2\n');
    await until(() => values.length === 6);
    expect(JSON.stringify(values)).toBe('[{"a":"é"},[1],"x",true,false,12]');
    expect(violations).toEqual([]);
  });

  test('a line of exactly the limit is taken', async () => {
    peer.write(`"${'x'.repeat(998)}"\n`);
    await until(() => values.length === 1);
  });

  test.each<[string, string | Buffer, string]>([
    ['one byte more', `"${'x'.repeat(999)}"\n`, 'longer than 1000 bytes'],
    ['a line that never ends', 'x'.repeat(1001), 'longer than 1000 bytes'],
    ['not JSON', '{"a":}\n', 'not JSON'],
    ['an empty line', '\n', 'not JSON'],
    ['a duplicate key', '{"a":1,"a":2}\n', 'twice'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a]), 'not valid UTF-8'],
    ['half of a character', Buffer.from([0x22, 0xc3, 0x22, 0x0a]), 'not valid UTF-8'],
    ['a byte order mark', '\ufeff1\n', 'not JSON'],
  ])('%s ends the connection, and lines before it count', async (_what, bytes, reason) => {
    peer.write('1\n');
    await until(() => values.length === 1);
    peer.write(bytes);
    peer.write('2\n3\n');
    await until(() => violations.length === 1 && ours.destroyed);
    expect(violations[0]).toContain(reason);
    expect(values).toEqual([1]);
  });

  test('a connection that ends inside a line is a violation, one that ends after it is not', async () => {
    peer.end('1\n');
    await until(() => ours.destroyed);
    expect([values, violations]).toEqual([[1], []]);
  });

  test('half a line at the end', async () => {
    peer.end('1\n2');
    await until(() => ours.destroyed);
    expect([values, violations]).toEqual([[1], ['the connection ended inside a line']]);
  });

  test('nothing is read after the handler ended the connection', async () => {
    ours.removeAllListeners('data');
    readJsonLines(ours, { maxBytes: 10, onValue: (value) => { values.push(value); ours.destroy(); }, onViolation: () => {} });
    peer.write('1\n2\n3\n');
    await until(() => ours.destroyed);
    expect(values).toEqual([1]);
  });

  test('a peer that is still writing gets to read why its connection ends', async () => {
    let heard = '';
    peer.setEncoding('utf8').on('data', (text: string) => (heard += text));
    const ended = new Promise((resolve) => peer.once('end', resolve));
    ours.removeAllListeners('data');
    readJsonLines(ours, { maxBytes: 1000, onValue: () => undefined, onViolation: () => void writeJsonLine(ours, { why: 'too long' }) });
    for (let n = 0; n < 64; n += 1) peer.write('x'.repeat(65_536));
    await ended;
    expect(heard).toBe('{"why":"too long"}\n');
    await until(() => ours.destroyed);
  });

  test('B05: a line of 100 MB is cut at the limit without being kept', async () => {
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(1024 * 1024, 0x78);
    let sent = 0;
    while (!peer.destroyed && sent < 100) {
      peer.write(chunk);
      sent += 1;
      await sleep(1);
    }
    await until(() => violations.length === 1);
    expect(sent).toBeLessThan(100);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('writing', () => {
  test('one line each, with line breaks inside escaped', async () => {
    let got = '';
    peer.on('data', (chunk: Buffer) => (got += chunk.toString()));
    expect(writeJsonLine(ours, { a: 'x\ny' })).toBe(true);
    expect(writeJsonLine(ours, null)).toBe(true);
    await until(() => got === '{"a":"x\\ny"}\nnull\n');
  });

  test('who does not read is cut off at the cap, and then nothing is taken any more', async () => {
    peer.pause();
    let taken = 0;
    while (taken < 10_000 && writeJsonLine(ours, 'x'.repeat(10_000), 100_000)) taken += 1;
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(200);
    expect(ours.destroyed).toBe(true);
    expect(writeJsonLine(ours, 1)).toBe(false);
  });
});
