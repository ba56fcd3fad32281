// SPDX-License-Identifier: Apache-2.0
import Database from 'better-sqlite3';
import {
  chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { exampleChain } from '../ledger/testdata/example-chain.ts';
import { ledgerStoreContract } from '../ledger/ledger-store.contract.ts';
import type { LedgerStore } from '../ledger/ledger-store.ts';
import { verifyLedger, type Verdict } from '../ledger/verify.ts';
import { openSqliteLedgerStore } from './sqlite-ledger-store.ts';
import { harden } from './sqlite-schema.ts';

const folders: string[] = [];
const stores: LedgerStore[] = [];

/** In memory where there is such a place: these tests are about what is written, not about when it reaches a disk. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

function folder(): string {
  const made = mkdtempSync(join(PLACE, 'hf-ledger-'));
  folders.push(made);
  return made;
}

function open(directory: string, rowsPerSegment = 4, boot = 'boot-1'): LedgerStore {
  const store = openSqliteLedgerStore({ directory, boot, rowsPerSegment });
  stores.push(store);
  return store;
}

function cleanUp(): void {
  for (const store of stores.splice(0)) store.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
}

afterEach(cleanUp);

const verify = (store: LedgerStore): Promise<Verdict> => verifyLedger(store, {}, async () => {});
const more = (store: LedgerStore, count: number): void => store.append(exampleChain(count, store.head(), new Map(store.counts())));

/** A closed ledger of ten entries in three segments. */
function tenEntries(): string {
  const directory = folder();
  const store = open(directory);
  for (let n = 0; n < 5; n += 1) more(store, 2);
  store.close();
  return directory;
}

describe('on disk', () => ledgerStoreContract(() => open(folder()), cleanUp));

test('an append leaves nothing in a temporary file', () => {
  const temporary = (): number => readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).endsWith(' (deleted)')).length;
  const before = temporary();
  const store = open(folder(), 100_000);
  for (let n = 0; n < 100; n += 1) more(store, 20);
  expect(temporary()).toBe(before);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the one that listed the others
  }
}

describe('opening again', () => {
  test('goes on where it was, also after another boot', async () => {
    const directory = tenEntries();
    for (const boot of ['boot-1', 'boot-2']) {
      const store = open(directory, 4, boot);
      expect(store.problem()).toBeNull();
      more(store, 1);
      expect(await verify(store)).toMatchObject({ ok: true, verified: store.head().seq });
      store.close();
    }
    expect(readdirSync(`${directory}/segments`)).toEqual(['0000000001.db', '0000000005.db', '0000000009.db']);
  });

  test('sealed segments are plain read-only files, and nobody else may read the folder', () => {
    const directory = tenEntries();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(`${directory}/segments/0000000005.db`).mode & 0o777).toBe(0o400);
    expect(statSync(`${directory}/segments/0000000009.db`).mode & 0o777).toBe(0o600);
  });

  test('without closing, as after kill -9: what lies on disk at that moment opens and is green', async () => {
    const directory = folder();
    const store = open(directory);
    for (let n = 0; n < 9; n += 1) {
      more(store, 1);
      const copy = folder();
      cpSync(directory, copy, { recursive: true });
      for (const boot of ['boot-1', 'boot-2']) {
        const again = open(copy, 4, boot);
        expect(again.problem()).toBeNull();
        expect(again.head()).toEqual(store.head());
        expect(await verify(again)).toMatchObject({ ok: true, verified: n + 1 });
        again.close();
      }
    }
  });

  test('a segment that was half made is made anew', () => {
    const directory = tenEntries();
    writeFileSync(`${directory}/segments/0000000011.db.new`, 'half');
    const store = open(directory);
    more(store, 4);
    expect(store.problem()).toBeNull();
    expect(readdirSync(`${directory}/segments`).some((name) => name.includes('.new'))).toBe(false);
  });

  test('a second ledger on the same files is refused while the first one lives', () => {
    const directory = tenEntries();
    const store = open(directory);
    more(store, 1);
    expect(open(directory).problem()).toContain('locked');
    expect(store.problem()).toBeNull();
    more(store, 1);
  });

  test('retention that was interrupted is finished', async () => {
    const directory = tenEntries();
    const kept = folder();
    cpSync(directory, kept, { recursive: true });
    const store = open(directory);
    store.pruneBefore(6);
    store.close();
    // The segment comes back, as if its unlink had not reached the disk.
    cpSync(`${kept}/segments/0000000001.db`, `${directory}/segments/0000000001.db`);
    const again = open(directory);
    expect(again.problem()).toBeNull();
    expect(existsSync(`${directory}/segments/0000000001.db`)).toBe(false);
    expect(await verify(again)).toMatchObject({ ok: true, first: 5, last: 10 });
  });
});

describe('R52: what the file itself refuses, on a connection opened as ours are', () => {
  const statements: [string, string, string][] = [
    ['UPDATE of an entry', "UPDATE entry SET outcome = 'ok' WHERE seq = 9", 'append-only'],
    ['UPDATE of all', 'UPDATE entry SET seq = seq + 100', 'append-only'],
    ['DELETE of the newest', 'DELETE FROM entry WHERE seq = 10', 'append-only'],
    ['DELETE of all', 'DELETE FROM entry', 'append-only'],
    ['UPDATE of the header', 'UPDATE segment SET first = 2', 'append-only'],
    ['DELETE of the header', 'DELETE FROM segment', 'append-only'],
    ['a second header', "INSERT OR REPLACE INTO segment VALUES (1, 9, '', '{}')", 'one header'],
    ['INSERT of an entry that is there', insert('INSERT', { seq: 9 }), 'comes next'],
    ['INSERT OR REPLACE of an entry that is there', insert('INSERT OR REPLACE', { seq: 9 }), 'comes next'],
    ['INSERT OR REPLACE of the newest', insert('INSERT OR REPLACE', { seq: 10 }), 'comes next'],
    ['INSERT OR REPLACE by the id of another', insert('INSERT OR REPLACE', { id: of9('id') }), 'comes next'],
    [
      'INSERT OR REPLACE by the count of another',
      insert('INSERT OR REPLACE', { source: of9('source'), source_seq: of9('source_seq') }),
      'comes next',
    ],
    ['INSERT OR IGNORE of an entry that is there', insert('INSERT OR IGNORE', { seq: 9 }), 'comes next'],
    ['INSERT with ON CONFLICT DO UPDATE', `${insert('INSERT', { seq: 9 })} ON CONFLICT (seq) DO UPDATE SET outcome = 'ok'`, 'comes next'],
    ['INSERT that leaves a gap', insert('INSERT', { seq: 12 }), 'comes next'],
    ['INSERT without a number', insert('INSERT', { seq: 'NULL' }), 'comes next'],
    ['INSERT that points elsewhere', insert('INSERT', { prev: "'" + 'a'.repeat(64) + "'" }), 'comes next'],
    ['DROP TABLE of the entries', 'DROP TABLE entry', 'FOREIGN KEY constraint failed'],
    ['DROP TABLE of the header', 'DROP TABLE segment', 'FOREIGN KEY constraint failed'],
    ['DROP TABLE of both at once', 'BEGIN; DROP TABLE segment; DROP TABLE entry; COMMIT', 'FOREIGN KEY constraint failed'],
    ['DROP TABLE of both the other way', 'BEGIN; DROP TABLE entry; DROP TABLE segment; COMMIT', 'FOREIGN KEY constraint failed'],
    ['the schema table, written', "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger'", 'may not be modified'],
    ['the schema table, changed', "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''", 'may not be modified'],
    ['text where a number belongs', insert('INSERT', { source_seq: "'x'" }), 'cannot store TEXT'],
  ];

  function of9(column: string): string {
    return `(SELECT ${column} FROM entry WHERE seq = 9)`;
  }

  /** The statement that would be entry 11, with some columns otherwise. */
  function insert(verb: string, otherwise: Record<string, string | number>): string {
    const columns: Record<string, string | number> = {
      seq: 11, hash: "'h'", prev: '(SELECT hash FROM entry WHERE seq = 10)', id: "'new'", source: "'holdfastd'", source_seq: 9999,
      time: "'t'", kind: "'k'", actor: "'a'", bytes: "x'00'", ...otherwise,
    };
    return `${verb} INTO entry (${Object.keys(columns).join(', ')}) VALUES (${Object.values(columns).join(', ')})`;
  }

  function connect(directory: string): Database.Database {
    const db = new Database(`${directory}/segments/0000000009.db`);
    harden(db);
    return db;
  }

  test('the same INSERT is taken when nothing is wrong with it', () => {
    const db = connect(tenEntries());
    db.exec(insert('INSERT', {}));
    expect(db.prepare('SELECT count(*) FROM entry').pluck().get()).toBe(3);
    db.close();
  });

  test.each(statements)('%s', async (_what, sql, message) => {
    const directory = tenEntries();
    const db = connect(directory);
    expect(() => db.exec(sql)).toThrow(message);
    if (db.inTransaction) db.exec('ROLLBACK');
    db.close();
    const store = open(directory);
    expect(store.problem()).toBeNull();
    expect(await verify(store)).toMatchObject({ ok: true, verified: 10 });
  });

  test('REPLACE is refused even where recursive_triggers was forgotten', () => {
    const db = connect(tenEntries());
    db.pragma('recursive_triggers = OFF');
    expect(() => db.exec(insert('INSERT OR REPLACE', { id: of9('id') }))).toThrow('comes next');
    db.close();
  });

  test.each([
    ['a trigger dropped', 'DROP TRIGGER entry_delete'],
    ['a trigger more', 'CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END'],
    ['an index dropped', 'DROP INDEX entry_kind'],
    ['a column more', 'ALTER TABLE entry ADD COLUMN more TEXT'],
    ['a table renamed', 'ALTER TABLE entry RENAME TO entries'],
    ['a view', 'CREATE VIEW v AS SELECT 1'],
    ['statistics', 'ANALYZE'],
    ['another version', 'PRAGMA user_version = 2'],
    ['another application', 'PRAGMA application_id = 1'],
  ])('what a schema change leaves behind is seen at the next start and by verify: %s', async (_what, sql) => {
    const directory = tenEntries();
    const db = new Database(`${directory}/segments/0000000009.db`);
    db.exec(sql);
    db.close();
    const store = open(directory);
    expect(store.problem()).toContain('the schema was changed');
    expect(() => more(store, 1)).toThrow('the schema was changed');
    const reason: unknown = expect.stringContaining('the schema was changed');
    expect(await verify(store)).toMatchObject({ ok: false, bad: { segment: '0000000009.db', reason } });
  });
});

describe('E02 on disk: what is gone is missed', () => {
  const withoutGuards = 'DROP TRIGGER entry_delete; DROP TRIGGER entry_update; PRAGMA foreign_keys = OFF;';
  /** As an intruder who knows the schema would: guards removed, rows changed, guards put back. */
  function tamper(directory: string, segment: string, sql: string): void {
    const file = `${directory}/segments/${segment}`;
    chmodSync(file, 0o600);
    const db = new Database(file);
    const guards = db.prepare("SELECT sql FROM sqlite_schema WHERE name IN ('entry_delete', 'entry_update') ORDER BY rowid").pluck().all();
    db.exec(`${withoutGuards} ${sql}; ${guards.join(';')}`);
    db.close();
    if (segment !== '0000000009.db') chmodSync(file, 0o400);
  }

  test('the tampering itself leaves no trace when it changes nothing', async () => {
    const directory = tenEntries();
    tamper(directory, '0000000009.db', 'SELECT 1');
    expect(await verify(open(directory))).toMatchObject({ ok: true });
  });

  test.each<[string, (directory: string) => void, string | null, number]>([
    [
      'the newest entry deleted',
      (directory) => tamper(directory, '0000000009.db', 'DELETE FROM entry WHERE seq = 10'),
      'ends at entry 9',
      10,
    ],
    ['the newest segment emptied', (directory) => tamper(directory, '0000000009.db', 'DELETE FROM entry'), 'ends at entry 8', 9],
    ['the newest segment deleted', (directory) => rmSync(`${directory}/segments/0000000009.db`), 'ends at entry 8', 9],
    ['every segment deleted', (directory) => rmSync(`${directory}/segments`, { recursive: true }), 'every segment is gone', 1],
    ['the oldest segment deleted', (directory) => rmSync(`${directory}/segments/0000000001.db`), 'begins at entry 5', 11],
    [
      'a segment in the middle deleted',
      (directory) => rmSync(`${directory}/segments/0000000005.db`),
      'the segment before it ends at entry 4',
      5,
    ],
    [
      'a segment under another name',
      (directory) => renameSync(`${directory}/segments/0000000005.db`, `${directory}/segments/0000000006.db`),
      'begins at entry 5',
      5,
    ],
    ['an entry in the middle deleted', (directory) => tamper(directory, '0000000005.db', 'DELETE FROM entry WHERE seq = 6'), null, 6],
    ['a column changed', (directory) => tamper(directory, '0000000005.db', "UPDATE entry SET agent = 'x' WHERE seq = 7"), null, 7],
    ['bytes changed', (directory) => tamper(directory, '0000000001.db', "UPDATE entry SET bytes = x'7b7d' WHERE seq = 2"), null, 2],
    [
      'the newest bytes changed',
      (directory) => tamper(directory, '0000000009.db', "UPDATE entry SET bytes = x'7b7d' WHERE seq = 10"),
      'entry 10 was changed',
      10,
    ],
    ['a forged entry at the end', (directory) => forge(directory), 'ends at entry 11', 11],
    ['the note of the head deleted', (directory) => rmSync(`${directory}/head`), 'is missing beside the segments', 11],
    [
      'the note of the head damaged',
      (directory) => writeFileSync(`${directory}/head`, readFileSync(`${directory}/head`, 'utf8').replace('"seq":10', '"seq":1e1')),
      'does not hold',
      11,
    ],
    [
      'a file that is no database',
      (directory) => writeFileSync(`${directory}/segments/0000000009.db`, 'x'.repeat(8192)),
      'cannot be read',
      9,
    ],
  ])('%s', async (_what, damage, problem, seq) => {
    const directory = tenEntries();
    damage(directory);
    const store = open(directory);
    if (problem === null) expect(store.problem()).toBeNull();
    else {
      expect(store.problem()).toContain(problem);
      expect(() => more(store, 1)).toThrow(problem);
    }
    expect(await verify(store)).toMatchObject({ ok: false, bad: { seq } });
  });

  /** Goes on with the chain as the ledger itself would, from a copy whose note is then put back. */
  function forge(directory: string): void {
    const note = readFileSync(`${directory}/head`);
    const store = open(directory);
    more(store, 1);
    store.close();
    writeFileSync(`${directory}/head`, note);
  }

  test('reading goes on where it can', async () => {
    const directory = tenEntries();
    rmSync(`${directory}/segments/0000000005.db`);
    const store = open(directory);
    expect(store.problem()).not.toBeNull();
    expect((await store.query({ limit: 4 })).entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect((await store.query({ afterSeq: 8 })).entries.map(({ seq }) => seq)).toEqual([9, 10]);
  });

  test('after a power cut the note may be behind, yet what it names must be there', async () => {
    const directory = tenEntries();
    const old = readFileSync(`${directory}/head`, 'utf8').replace('"closed":true', '"closed":false') + ' ';
    const store = open(directory);
    more(store, 3);
    store.close();
    writeFileSync(`${directory}/head`, old.slice(0, 511) + '\n');
    expect(open(directory, 4, 'boot-2').problem()).toBeNull();
    stores.pop()!.close();
    writeFileSync(`${directory}/head`, old.replace(/"hash":"../, '"hash":"ff').slice(0, 511) + '\n');
    expect(open(directory, 4, 'boot-2').problem()).toContain('entry 10 is not the one that was recorded');
    stores.pop()!.close();
    tamper(directory, '0000000009.db', 'DELETE FROM entry WHERE seq > 9');
    writeFileSync(`${directory}/head`, old.slice(0, 511) + '\n');
    expect(open(directory, 4, 'boot-2').problem()).toBe('the ledger ends at entry 9, and had reached 10');
  });
});

describe('when writing fails', () => {
  test('nothing changes, and later it goes on (E12)', async () => {
    const directory = tenEntries();
    const store = open(directory, 1000);
    more(store, 1);
    // The folder where the next segment would be made cannot be written: what a full disk does to a new file.
    const full = open(folder(), 2);
    more(full, 2);
    const blocker = `${folders.at(-1)}/segments/0000000003.db.new`;
    mkdirAt(blocker);
    const before = full.head();
    expect(() => more(full, 1)).toThrow();
    expect(full.head()).toEqual(before);
    expect((await full.query({})).entries).toHaveLength(2);
    rmSync(blocker, { recursive: true });
    more(full, 1);
    expect(await verify(full)).toMatchObject({ ok: true, verified: 3 });
  });

  function mkdirAt(path: string): void {
    cpSync(folder(), path, { recursive: true });
    writeFileSync(`${path}/x`, '');
  }
});
