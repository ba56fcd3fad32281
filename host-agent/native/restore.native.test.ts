// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync, existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync,
  statSync, symlinkSync, truncateSync, utimesSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { fileToolRig } from './testdata/under-filter.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 40);
const KILLS = Number(process.env['HOLDFAST_COUNT'] ?? 16);

const { tool, fresh } = fileToolRig();
let dir: string;
let root: string;
let store: string;
let next = 0;

beforeEach(() => {
  ({ dir, root } = fresh());
  store = join(dir, 'store');
  mkdirSync(store);
});

type Ran = { readonly status: number | null; readonly out: Buffer; readonly said: Record<string, unknown> };

/** As an agent would be: a user for whom modes hold. */
function run(args: readonly string[], under = root): Ran {
  const ran = spawnSync(tool, [under, ...args], { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 });
  const text = ran.stderr.toString('utf8');
  expect(text).toMatch(/^\{.*\}\n$/);
  return { status: ran.status, out: ran.stdout, said: JSON.parse(text) as Record<string, unknown> };
}

function pointArgs(id: string, path: string, more: readonly string[] = []): string[] {
  return ['point', path, '--store', store, '--id', id, '--of', '/workspace', '--call', `c-${id}`, '--session', 's-1', '--tool', 't', '--at', String(Date.now()), ...more];
}

function point(path = '.', more: readonly string[] = []): string {
  const id = `p-${(next += 1)}`;
  expect(run(pointArgs(id, path, more))).toMatchObject({ status: 0 });
  return id;
}

function undo(from: string, more: readonly string[] = [], path = '.'): Record<string, unknown> & { records: string[][] } {
  const ran = run(['undo', path, '--store', store, '--from', from, ...more]);
  expect(ran.status, JSON.stringify(ran.said)).toBe(0);
  return { ...ran.said, records: records(ran.out, 3) };
}

function diff(from: string, more: readonly string[] = []): string[][] {
  const ran = run(['diff', '.', '--store', store, '--from', from, '--max-text', '65536', '--max-bytes', '262144', ...more]);
  expect(ran.status, JSON.stringify(ran.said)).toBe(0);
  return records(ran.out, 13);
}

function records(out: Buffer, width: number): string[][] {
  const fields = out.toString('latin1').split('\0');
  expect(fields.pop()).toBe('');
  const all: string[][] = [];
  for (let i = 0; i < fields.length; i += width) all.push(fields.slice(i, i + width));
  return all;
}

function points(): string[] {
  return records(run(['points', '.', '--store', store]).out, 12).map((r) => r[0]!);
}

/** What is promised to come back: kinds, contents, modes, times of change, targets, and which names are one file. */
function picture(): string {
  const lines: string[] = [];
  const names = new Map<bigint, string>();
  const look = (path: Buffer, shown: string): void => {
    const st = lstatSync(path, { bigint: true });
    const kind = st.isDirectory() ? 'd' : st.isSymbolicLink() ? 'l' : st.isFIFO() ? 'p' : 'f';
    const content = kind === 'f' ? createHash('sha256').update(readFileSync(path)).digest('hex') : kind === 'l' ? readlinkSync(path, 'latin1') : '';
    const twin = kind === 'f' && st.nlink > 1n ? (names.get(st.ino) ?? shown) : '';
    if (twin !== '') names.set(st.ino, twin);
    lines.push([kind, (st.mode & 0o7777n).toString(8), st.mtimeNs, shown, content, twin].join(' '));
    if (kind !== 'd') return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      look(Buffer.concat([path, Buffer.from('/'), name]), `${shown}/${name.toString('latin1')}`);
    }
  };
  look(Buffer.from(root), '.');
  return lines.join('\n');
}

const at = (path: string): string => join(root, path);

function someTree(): void {
  mkdirSync(at('src/deep/er'), { recursive: true });
  writeFileSync(at('src/a.txt'), 'one\ntwo\n');
  writeFileSync(at('src/deep/er/b'), Buffer.alloc(200_000, 'xyz'));
  writeFileSync(at('secret'), 'mine', { mode: 0o600 });
  writeFileSync(at('tool'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync('../outside/secret', at('link'));
  linkSync(at('src/a.txt'), at('src/twin'));
  spawnSync('mkfifo', [at('pipe')]);
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 50_000_000);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x61, 0x0a, 0xff, 0x1b])]), 'odd name');
  mkdirSync(at('empty'));
  utimesSync(at('src/a.txt'), 1_000_000_000.123, 1_000_000_000.123);
  lutimesSync(at('link'), 5, 5);
  utimesSync(at('src'), 77, 77);
}

describe('a point and its undo', () => {
  test('bring back every kind of thing, byte for byte, with modes and times', () => {
    someTree();
    const before = picture();
    const from = point();
    rmSync(at('src'), { recursive: true });
    writeFileSync(at('src'), 'a file where a directory was');
    writeFileSync(at('secret'), 'MINE');
    chmodSync(at('secret'), 0o644);
    chmodSync(at('tool'), 0o000);
    rmSync(at('link'));
    mkdirSync(at('link/in'), { recursive: true });
    writeFileSync(at('link/in/x'), '');
    rmSync(at('pipe'));
    writeFileSync(at('sparse'), 'small');
    for (const name of readdirSync(root, { encoding: 'buffer' })) if (name[0] === 0x61) rmSync(Buffer.concat([Buffer.from(`${root}/`), name]));
    writeFileSync(at('new'), 'new');
    rmSync(at('empty'), { recursive: true });
    const changed = picture();
    expect(changed).not.toBe(before);

    const saved = point();
    expect(undo(from)).toMatchObject({ done: true, left: 0, conflicts: 0, unread: 0 });
    expect(picture()).toBe(before);
    expect(statSync(at('sparse')).blocks).toBeLessThan(1000);
    expect(diff(from)).toEqual([]);
    // The undo of the undo.
    expect(undo(saved)).toMatchObject({ done: true, left: 0 });
    expect(picture()).toBe(changed);
    expect(readFileSync(join(dir, 'outside/secret'), 'utf8')).toBe('CANARY\n');
  });

  test('of any edits give back any tree', { timeout: 60_000 + COUNT * 2_000 }, () => {
    const name = fc.constantFrom('a', 'b', 'c', 'a/b', 'a/c', 'b/a', 'a/b/c', '-', '.x', 'a b');
    const edit = fc.record({
      what: fc.constantFrom('write', 'write', 'append', 'mkdir', 'remove', 'link', 'chmod', 'rename', 'hard', 'touch', 'shut'),
      path: name,
      other: name,
      text: fc.string({ maxLength: 20 }),
      mode: fc.constantFrom(0o600, 0o644, 0o755, 0o700),
    });
    const apply = (e: { what: string; path: string; other: string; text: string; mode: number }): void => {
      try {
        if (e.what === 'write') writeFileSync(at(e.path), e.text);
        else if (e.what === 'append') writeFileSync(at(e.path), e.text, { flag: 'a' });
        else if (e.what === 'mkdir') mkdirSync(at(e.path), { recursive: true });
        else if (e.what === 'remove') rmSync(at(e.path), { recursive: true });
        else if (e.what === 'link') symlinkSync(e.text.replaceAll('\0', '') || '/', at(e.path));
        else if (e.what === 'chmod' && !lstatSync(at(e.path)).isSymbolicLink()) chmodSync(at(e.path), e.mode);
        else if (e.what === 'rename') renameSync(at(e.path), at(e.other));
        else if (e.what === 'hard' && lstatSync(at(e.path)).isFile()) linkSync(at(e.path), at(e.other));
        else if (e.what === 'touch') lutimesSync(at(e.path), 1e9, e.mode);
        else if (e.what === 'shut' && lstatSync(at(e.path)).isDirectory()) chmodSync(at(e.path), 0o555);
      } catch {
        // An edit that does not fit what is there.
      }
    };
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 25 }), fc.array(edit, { minLength: 1, maxLength: 25 }), fc.boolean(), (first, then, twice) => {
        for (const n of readdirSync(root)) rmSync(at(n), { recursive: true, force: true });
        first.forEach(apply);
        const before = picture();
        const from = point();
        then.forEach(apply);
        const changed = picture();
        const saved = point();
        undo(from);
        expect(picture()).toBe(before);
        if (twice) {
          undo(saved);
          expect(picture()).toBe(changed);
        }
      }),
      { numRuns: COUNT },
    );
  });

  test('keep only what has changed since the point before', () => {
    for (let i = 0; i < 50; i += 1) writeFileSync(at(`f${i}`), String(i));
    spawnSync('sleep', ['0.2']);
    expect(run(pointArgs('p-a', '.')).said).toMatchObject({ entries: 51, kept: 50, unread: 0, moving: 0 });
    writeFileSync(at('f7'), 'seven');
    expect(run(pointArgs('p-b', '.')).said).toMatchObject({ entries: 51, kept: 1 });
    spawnSync('sleep', ['0.2']);
    // Once more where f7 was so young that its time proved nothing.
    expect(Number(run(pointArgs('p-c', '.')).said['kept'])).toBeLessThanOrEqual(1);
    expect(run(pointArgs('p-d', '.')).said).toMatchObject({ kept: 0 });
    writeFileSync(at('f8'), 'eight');
    undo('p-a');
    expect(readFileSync(at('f7'), 'utf8')).toBe('7');
    expect(readFileSync(at('f8'), 'utf8')).toBe('8');
  });

  test('a change within the same tick of the clock, of the same length, is not missed', () => {
    for (let i = 0; i < 20; i += 1) {
      const begun = Date.now();
      writeFileSync(at('f'), 'a');
      const one = point();
      const young = Date.now() - begun < 80;
      const kept = run(pointArgs(`p-y${i}`, '.')).said['kept'];
      // So young that equal times prove nothing: it is kept once more.
      if (young) expect(kept).toBe(1);
      writeFileSync(at('f'), 'b');
      const other = point();
      undo(one);
      expect(readFileSync(at('f'), 'utf8')).toBe('a');
      undo(other);
      expect(readFileSync(at('f'), 'utf8')).toBe('b');
    }
  });

  test('of one path keep and touch that one', () => {
    writeFileSync(at('a'), 'a');
    writeFileSync(at('b'), 'b');
    const before = picture();
    const from = point('a');
    const made = point('new/deep/er');
    writeFileSync(at('a'), 'A');
    writeFileSync(at('b'), 'B');
    mkdirSync(at('new/deep/er'), { recursive: true });
    expect(diff(from).map((r) => [r[0], r[1], r[10], r[11], r[12]])).toEqual([['changed', 'a', 'text', 'a', 'A']]);
    expect(undo(from)).toMatchObject({ restored: 1, removed: 0 });
    expect(undo(made)).toMatchObject({ restored: 0, removed: 3 });
    expect(readFileSync(at('b'), 'utf8')).toBe('B');
    writeFileSync(at('b'), 'b');
    expect(picture().replace(/\d{19} \.\/b/, '')).toBe(before.replace(/\d{19} \.\/b/, ''));
  });

  test('say what one call changed, and refuse what was changed since, unless told otherwise', () => {
    for (const n of ['mine', 'both', 'theirs']) writeFileSync(at(n), 'old');
    const from = point();
    writeFileSync(at('mine'), 'call');
    writeFileSync(at('both'), 'call');
    const to = point();
    writeFileSync(at('both'), 'since');
    writeFileSync(at('theirs'), 'since');
    expect(diff(from, ['--to', to]).map((r) => r[1])).toEqual(['both', 'mine']);
    const refused = undo(from, ['--to', to]);
    expect(refused).toMatchObject({ done: false, conflicts: 1 });
    expect(refused.records).toContainEqual(['conflict', 'both', '']);
    expect(readFileSync(at('mine'), 'utf8')).toBe('call');
    expect(undo(from, ['--to', to, '--dry-run', '--force'])).toMatchObject({ done: false, restored: 2, removed: 0 });
    expect(undo(from, ['--to', to], 'mine')).toMatchObject({ done: true, restored: 1 });
    expect(undo(from, ['--to', to, '--force'])).toMatchObject({ done: true, restored: 1 });
    expect(['mine', 'both', 'theirs'].map((n) => readFileSync(at(n), 'utf8'))).toEqual(['old', 'old', 'since']);
  });

  test('say what one call changed also when later points are of single paths', () => {
    for (const n of ['mine', 'both', 'theirs']) writeFileSync(at(n), 'old');
    const from = point();
    writeFileSync(at('mine'), 'call');
    writeFileSync(at('both'), 'call');
    const first = point('both');
    writeFileSync(at('both'), 'since');
    const second = point('theirs');
    writeFileSync(at('theirs'), 'since');
    const to = ['--to', `${first},${second}`];
    expect(diff(from, to).map((r) => [r[1], r[12]])).toEqual([['both', 'call'], ['mine', 'call']]);
    expect(undo(from, to)).toMatchObject({ done: false, conflicts: 1 });
    expect(undo(from, [...to, '--force'])).toMatchObject({ done: true, restored: 2 });
    expect(['mine', 'both', 'theirs'].map((n) => readFileSync(at(n), 'utf8'))).toEqual(['old', 'old', 'since']);
  });

  test('end oldest first, and what a later one needs stays', () => {
    writeFileSync(at('same'), 'same');
    writeFileSync(at('f'), '0');
    spawnSync('sleep', ['0.2']);
    const most = ['--most-points', '3'];
    const all: string[] = [];
    for (let i = 1; i <= 8; i += 1) {
      all.push(point('.', most));
      writeFileSync(at('f'), String(i));
    }
    expect(points()).toEqual(all.slice(-3));
    rmSync(at('same'));
    undo(all[5]!);
    expect([readFileSync(at('same'), 'utf8'), readFileSync(at('f'), 'utf8')]).toEqual(['same', '5']);
    // Three lists, their contents, and the one folder that still holds what they need.
    expect(readdirSync(join(store, 'points')).length).toBeLessThanOrEqual(5);
    expect(run(['undo', '.', '--store', store, '--from', all[0]!])).toMatchObject({ status: 1, said: { errno: 'ENOENT' } });
  });

  test('refuse more than they can hold, and leave nothing', () => {
    for (let i = 0; i < 20; i += 1) writeFileSync(at(`f${i}`), 'x'.repeat(1000));
    expect(run(pointArgs('p-x', '.', ['--most-entries', '10']))).toMatchObject({ status: 1, said: { errno: 'E2BIG' } });
    expect(run(pointArgs('p-x', '.', ['--most-bytes', '9999']))).toMatchObject({ status: 1, said: { errno: 'EFBIG' } });
    expect(points()).toEqual([]);
    point();
    expect(readdirSync(join(store, 'points'))).toHaveLength(1);
  });
});

describe('hostile trees', () => {
  test('a killed point is absent, and the next one clears it away', { timeout: 60_000 + KILLS * 2_000 }, async () => {
    for (let i = 0; i < 400; i += 1) writeFileSync(at(`f${i}`), Buffer.alloc(3000, i));
    const begun = performance.now();
    for (let k = 0; k < 400; k += 20) writeFileSync(at(`f${k}`), 'x');
    point();
    const usual = performance.now() - begun;
    let complete = 0;
    for (let i = 0; i < KILLS; i += 1) {
      for (let k = 0; k < 400; k += 20) writeFileSync(at(`f${k}`), `${i}`);
      const child = spawn(tool, [root, ...pointArgs(`p-k${i}`, '.', ['--most-points', '4'])], { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      await sleep((usual * (i % 12)) / 8);
      child.kill('SIGKILL');
      await ended;
      const there = points();
      if (there.includes(`p-k${i}`)) complete += 1;
      // Whatever is listed is whole.
      for (const id of there) expect(undo(id, ['--dry-run'])).toMatchObject({ done: false, unread: 0 });
    }
    const last = point('.', ['--most-points', '4']);
    expect(points()).toContain(last);
    expect(complete).toBeGreaterThan(0);
    expect(complete).toBeLessThan(KILLS);
    // Nothing is left of what was not completed.
    for (const number of readdirSync(join(store, 'points'))) {
      const names = readdirSync(join(store, 'points', number));
      expect(names.includes('list') || names.includes('ended'), `${number}: ${names.join(' ')}`).toBe(true);
    }
  });

  test('an undo that is killed is done by the next one', { timeout: 60_000 + KILLS * 2_000 }, async () => {
    for (let i = 0; i < 300; i += 1) writeFileSync(at(`f${i}`), Buffer.alloc(5000, i));
    const before = picture();
    const from = point();
    for (let round = 0; round < 4; round += 1) {
      for (let i = 0; i < 300; i += 1) writeFileSync(at(`f${i}`), 'gone');
      for (let i = 0; i < 50; i += 1) writeFileSync(at(`new${i}`), 'new');
      const child = spawn(tool, [root, 'undo', '.', '--store', store, '--from', from], { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      await sleep(3 + round * 6);
      child.kill('SIGKILL');
      await ended;
      // Each file is the old or the new one, never a part.
      for (let i = 0; i < 300; i += 1) expect([4, 5000]).toContain(statSync(at(`f${i}`)).size);
      undo(from);
      expect(picture()).toBe(before);
    }
  });

  test('links that flip while it is kept and brought back lead nobody out', { timeout: 240_000 + KILLS * 2_000 }, async () => {
    mkdirSync(at('d'));
    mkdirSync(join(dir, 'outside/d'));
    for (const n of ['x', 'y', 'z']) writeFileSync(at(`d/${n}`), 'inside');
    const from = point();
    // Renames d away, a link to the outside in, and back, as fast as it can.
    const flip = spawn('sh', ['-c', 'cd "$0" && while :; do mv d e; ln -s ../outside d; rm d; mv e d; mv d/x d/q; ln -s ../../outside/secret d/x; rm d/x; mv d/q d/x; done 2>/dev/null', root], { stdio: 'ignore' });
    const outside = (): string => readdirSync(join(dir, 'outside'), { recursive: true }).sort().join(' ') + readFileSync(join(dir, 'outside/secret'), 'utf8');
    const was = outside();
    try {
      const tries = Number(process.env['HOLDFAST_COUNT'] ?? 200);
      for (let i = 0; i < tries; i += 1) {
        const id = `p-r${i}`;
        const made = run(pointArgs(id, i % 2 === 0 ? '.' : 'd/x', ['--most-points', '8']));
        if (made.status === 0) {
          const shown = run(['diff', '.', '--store', store, '--from', id, '--max-text', '1000', '--max-bytes', '10000']);
          expect(shown.out.includes('CANARY')).toBe(false);
        }
        run(['undo', '.', '--store', store, '--from', from, '--force']);
        if (outside() !== was) break;
      }
    } finally {
      flip.kill('SIGKILL');
    }
    expect(outside()).toBe(was);
    expect(spawnSync('grep', ['-r', 'CANARY', store]).status).toBe(1);
  });

  test('a file that is written all the time is kept and marked, a deep tree to its limit', async () => {
    const writer = spawn('sh', ['-c', 'while :; do date +%N >> "$0"; done', at('busy')], { stdio: 'ignore' });
    await sleep(100);
    try {
      expect(run(pointArgs('p-busy', '.'))).toMatchObject({ status: 0, said: { unread: 0 } });
    } finally {
      writer.kill('SIGKILL');
    }
    mkdirSync(at('n/'.repeat(300)), { recursive: true });
    writeFileSync(at(`${'n/'.repeat(300)}deep`), '');
    const made = run(pointArgs('p-deep', '.'));
    expect(made).toMatchObject({ status: 0 });
    expect(made.said['unread']).toBeGreaterThan(0);
    // Nothing is done about what it does not know.
    undo('p-deep');
    expect(existsSync(at(`${'n/'.repeat(300)}deep`))).toBe(true);
  });
});

test('modes hold for whoever is not root', { skip: process.getuid?.() !== 0 }, () => {
  const as = { uid: 65534, gid: 65534 };
  spawnSync('chown', ['-R', '65534:65534', root, store]);
  chmodSync(dir, 0o755);
  const go = (args: readonly string[]): Record<string, unknown> =>
    JSON.parse(spawnSync(tool, [root, ...args], as).stderr.toString()) as Record<string, unknown>;
  writeFileSync(at('shut'), 'cannot be read');
  mkdirSync(at('d'));
  writeFileSync(at('d/f'), 'old');
  spawnSync('chown', ['-R', '65534:65534', root]);
  chmodSync(at('shut'), 0o000);
  expect(go(pointArgs('p-s', '.'))).toMatchObject({ unread: 1 });
  writeFileSync(at('d/f'), 'new');
  chmodSync(at('d'), 0o000);
  rmSync(at('shut'));
  // A directory that the agent shut is opened to bring back what lies in it, and is then as it was.
  expect(go(['undo', '.', '--store', store, '--from', 'p-s'])).toMatchObject({ done: true, unread: 1, left: 0 });
  expect(readFileSync(at('d/f'), 'utf8')).toBe('old');
  expect(statSync(at('d')).mode & 0o777).toBe(0o755);
  expect(existsSync(at('shut'))).toBe(false);
});
