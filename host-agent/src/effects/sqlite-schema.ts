// SPDX-License-Identifier: Apache-2.0
import Database from 'better-sqlite3';

/** "hflg": tells our segments from other SQLite files. */
export const APPLICATION_ID = 0x68666c67;
export const USER_VERSION = 1;

/** The text columns by which entries are searched; each index is checked against its rows by verify. */
export const INDEXES = [
  { name: 'entry_kind', on: 'kind', optional: false },
  { name: 'entry_actor', on: 'actor', optional: false },
  { name: 'entry_agent', on: 'agent', optional: true },
  { name: 'entry_trace', on: 'trace', optional: true },
] as const;

// R52. The chain shows tampering; this keeps our own connection, and whoever opens the file with any other, from doing it
// by mistake or by a statement that looks harmless:
// - UPDATE and DELETE abort; so does INSERT OR REPLACE, whose hidden DELETE fires triggers only with recursive_triggers on,
//   and which the order check therefore refuses by itself too;
// - the two tables point at each other with immediate foreign keys, so that DROP TABLE of either fails, also within one
//   transaction. Making the first header needs foreign keys off, for the entry it points at comes later.
// `bytes` comes last: a search then reads the columns without the pages a long entry overflows into.
const SCHEMA = `
CREATE TABLE segment (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  first INTEGER NOT NULL REFERENCES entry (seq),
  prev TEXT NOT NULL,
  sources TEXT NOT NULL
) STRICT;
CREATE TABLE entry (
  seq INTEGER PRIMARY KEY,
  segment INTEGER NOT NULL DEFAULT 1 REFERENCES segment (one),
  hash TEXT NOT NULL,
  prev TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  source_seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  trace TEXT,
  agent TEXT,
  tool TEXT,
  outcome TEXT,
  bytes BLOB NOT NULL,
  UNIQUE (source, source_seq)
) STRICT;
${INDEXES.map(({ name, on, optional }) => `CREATE INDEX ${name} ON entry (${on})${optional ? ` WHERE ${on} IS NOT NULL` : ''};`).join('\n')}
CREATE TRIGGER segment_insert BEFORE INSERT ON segment WHEN EXISTS (SELECT 1 FROM segment)
BEGIN SELECT RAISE(ABORT, 'a segment has one header'); END;
CREATE TRIGGER segment_update BEFORE UPDATE ON segment BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER segment_delete BEFORE DELETE ON segment BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_insert BEFORE INSERT ON entry
WHEN NEW.seq IS NOT coalesce((SELECT max(seq) + 1 FROM entry), (SELECT first FROM segment))
  OR NEW.prev IS NOT coalesce((SELECT hash FROM entry ORDER BY seq DESC LIMIT 1), (SELECT prev FROM segment))
  OR EXISTS (SELECT 1 FROM entry WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM entry WHERE source = NEW.source AND source_seq = NEW.source_seq)
BEGIN SELECT RAISE(ABORT, 'the ledger takes only the entry that comes next'); END;
CREATE TRIGGER entry_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${USER_VERSION};
`;

/** The connection's part of R52, at every open: none of these is remembered in the file. */
export function harden(db: Database.Database): void {
  // Turns SQLite's defensive mode on: no writable_schema, no shadow table or raw page writes.
  db.unsafeMode(false);
  // This build lets WAL mean synchronous=NORMAL, which loses acknowledged entries when the power goes.
  // temp_store = MEMORY (2): else what an INSERT of many pages would have to undo goes to a file outside the ledger's folder,
  // which under an exclusive lock stays open and is written to by every INSERT after that.
  const settings = [
    'synchronous = FULL', 'foreign_keys = ON', 'recursive_triggers = ON', 'trusted_schema = OFF', 'cell_size_check = ON', 'temp_store = MEMORY',
  ];
  for (const setting of settings) db.pragma(setting);
  const wanted: readonly [string, number][] = [['synchronous', 2], ['foreign_keys', 1], ['recursive_triggers', 1], ['trusted_schema', 0], ['temp_store', 2]];
  for (const [name, value] of wanted) {
    if (db.pragma(name, { simple: true }) !== value) throw new Error(`cannot set ${name} on the ledger`);
  }
}

/** `db` is an empty database, with foreign keys off. */
export function createSchema(db: Database.Database): void {
  db.exec(SCHEMA);
}

let expected: string | null = null;

/** Why the file's schema is not the one above, or null. Any table, index, trigger or view more, less or other counts. */
export function schemaDifference(db: Database.Database): string | null {
  expected ??= expectedSchema();
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) return 'the schema was changed: this is not a file of the ledger';
  if (db.pragma('user_version', { simple: true }) !== USER_VERSION) return 'the schema was changed: the version is another';
  return schemaText(db) === expected ? null : 'the schema was changed: its text is not the one this ledger makes';
}

function expectedSchema(): string {
  const empty = new Database(':memory:');
  try {
    createSchema(empty);
    return schemaText(empty);
  } finally {
    empty.close();
  }
}

function schemaText(db: Database.Database): string {
  return JSON.stringify(db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all());
}
