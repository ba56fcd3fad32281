// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copiesIn } from './testdata/process-memory.ts';
import { PASSPHRASE, UIDS, useSecretdRole } from './testdata/secretd-role.ts';

// What of secretd can be read from beside it, by somebody of the same uid (D01, D02, D04).

const CANARY = 'canary-value-that-nobody-else-may-see';
const ADDON = resolve(import.meta.dirname, '../../build/native/hostsys.node');
const OPEN_ADDON = `const m={exports:{}};process.dlopen(m,${JSON.stringify(ADDON)});const a=m.exports;`;

const box = useSecretdRole();
const started: ChildProcess[] = [];
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-core-'));
  chownSync(folder, UIDS.secret, UIDS.secret);
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A plain process of secretd's uid, once it has said something. */
async function plain(script: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['-e', `${script};setInterval(()=>{},1000)`], { uid: UIDS.secret, gid: UIDS.secret, stdio: ['ignore', 'pipe', 'inherit'], env: { CONTROL: 'seen' }, cwd: '/' });
  started.push(child);
  const [said] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

const SEEN = ['environ', 'mem', 'maps', 'smaps', 'fd', 'cwd', 'root', 'exe', 'auxv', 'io'] as const;

/** What somebody of this uid gets from each of these: `ok`, or why not. */
function readAs(uid: number, pid: number): Record<string, string> {
  const script = `
    const fs = require('node:fs'), got = {};
    for (const name of ${JSON.stringify(SEEN)}) {
      const path = '/proc/${pid}/' + name;
      try {
        if (name === 'fd') fs.readdirSync(path);
        else if (['cwd', 'root', 'exe'].includes(name)) fs.readlinkSync(path);
        else if (name === 'mem') fs.closeSync(fs.openSync(path, 'r'));
        else fs.readFileSync(path);
        got[name] = 'ok';
      } catch (fault) { got[name] = fault.code; }
    }
    console.log(JSON.stringify(got));`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { uid, gid: uid, cwd: '/', env: {} }).toString()) as Record<string, string>;
}

describe('/proc of secretd (D02)', () => {
  test('is closed to its own uid, where that of a plain process of this uid is open', async () => {
    await box.prepared(CANARY);
    const control = await plain('console.log("up")');
    expect(readAs(UIDS.secret, control.child.pid!)).toEqual(Object.fromEntries(SEEN.map((name) => [name, 'ok'])));
    const pid = pidOf();
    for (const [name, got] of Object.entries(readAs(UIDS.secret, pid))) expect(['EACCES', 'EPERM'], name).toContain(got);
    // Also for root there is nothing of it in what a process was started with.
    for (const name of ['environ', 'cmdline']) expect(readFileSync(`/proc/${pid}/${name}`, 'latin1')).not.toMatch(/canary|correct horse/);
  });

  test('holds no copy of a passphrase or a value after an opening, a rotation, uses, a locking and another opening', async () => {
    await box.prepared(CANARY);
    await box.done({ op: 'rotate', name: 'A_KEY', graceHours: 1, expires: null }, `${CANARY}-2`);
    for (let n = 0; n < 20; n += 1) expect(await box.use()).toMatchObject({ ok: true, value: `${CANARY}-2` });
    await box.done({ op: 'lock' });
    await box.done({ op: 'unlock' }, PASSPHRASE);
    expect(await box.use()).toMatchObject({ ok: true });
    const pid = pidOf();
    // The control: what is a string in it is found.
    expect(copiesIn(pid, 'api.example.com')).toBeGreaterThan(0);
    expect(copiesIn(pid, PASSPHRASE)).toBe(0);
    expect(copiesIn(pid, CANARY)).toBe(0);
  });
});

describe('the process keyring (D01)', () => {
  test('of secretd is seen by nobody beside it, though the kernel counts its keys', async () => {
    await box.prepared(CANARY);
    const count = (): number => Number(/^ *64990: +(\d+)/m.exec(readFileSync('/proc/key-users', 'utf8'))?.[1] ?? 0);
    expect(count()).toBeGreaterThanOrEqual(3);
    const keys = execFileSync('cat', ['/proc/keys'], { uid: UIDS.secret, gid: UIDS.secret }).toString();
    expect(keys).not.toMatch(/hf:|A_KEY/);
    expect(readFileSync('/proc/keys', 'utf8')).not.toMatch(/hf:|A_KEY/);
  });

  test('a key in it is read by its process, and by no other of the same uid, by its number neither, nor by root', async () => {
    const { said, child } = await plain(`${OPEN_ADDON}const k=a.keyAdd('hf:test',Buffer.from('inside'));console.log(k, a.keyRead(k).toString())`);
    const [serial, value] = said.split(' ');
    expect(value).toBe('inside');
    const script = `${OPEN_ADDON}for (const f of ['keyRead','keyDrop']) try { console.log('GOT', a[f](${serial})) } catch (e) { console.log(e.code) }`;
    for (const uid of [UIDS.secret, UIDS.stranger, 0]) expect(execFileSync(process.execPath, ['-e', script], { uid, gid: uid, cwd: '/' }).toString().trim().split('\n')).toEqual(['EACCES', 'EACCES']);
    expect(child.exitCode).toBeNull();
  });

  test('a child of its process has none of it, and a key that was dropped is gone', async () => {
    const inChild = `${OPEN_ADDON}try { console.log('GOT', a.keyRead(Number(process.argv[1])).toString()) } catch (e) { console.log(e.code) }`;
    const { said } = await plain(`${OPEN_ADDON}const k=a.keyAdd('hf:test',Buffer.from('inside'));
      const child=require('node:child_process').execFileSync(process.execPath,['-e',${JSON.stringify(inChild)},String(k)]).toString().trim();
      a.keyDrop(k); let after; try { after=a.keyRead(k).toString() } catch (e) { after=e.code }
      console.log(child, after)`);
    expect(said).toMatch(/^EACCES (?:EKEYREVOKED|ENOKEY|EACCES)$/);
  });
});

describe('a crash (D04)', () => {
  test('leaves no core file, where a plain process in the same place leaves one', async () => {
    const limited = ['/bin/bash', '-c', 'ulimit -c unlimited; exec "$0" "$@"'];
    spawnSync('/bin/bash', ['-c', `cd ${folder}; ulimit -c unlimited; sleep 60 & p=$!; sleep 0.2; kill -SEGV $p; wait $p`], { uid: UIDS.secret, gid: UIDS.secret });
    const cores = (): string[] => readdirSync(folder).filter((name) => name.startsWith('core'));
    // Where the kernel hands cores to a program there is nothing to look at here.
    const toFiles = !/^[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'));
    expect(cores()).toHaveLength(toFiles ? 1 : 0);
    for (const name of cores()) rmSync(join(folder, name));
    const role = await box.start({ wrap: limited, cwd: folder });
    await box.done({ op: 'init' }, PASSPHRASE);
    const ended = once(role, 'exit');
    role.kill('SIGSEGV');
    expect(await ended).toEqual([null, 'SIGSEGV']);
    expect(cores()).toEqual([]);
    expect(box.said()).not.toContain('correct horse');
    await box.start();
    expect(await box.ask({ op: 'status' })).toMatchObject({ value: { state: 'locked' } });
  });
});

function pidOf(): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const root = box.paths().units.replace('/run/systemd/system', '');
  const found = all.filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.includes('holdfast-secretd') && words.includes(root);
    } catch {
      return false;
    }
  });
  expect(found).toHaveLength(1);
  return Number(found[0]);
}
