// SPDX-License-Identifier: Apache-2.0
import Database from 'better-sqlite3';
import { chmodSync, closeSync, constants, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { SealedEntry } from '../ledger/chain.ts';
import { canonicalText } from '../ledger/encode.ts';
import { EQUALITIES, type QueryFilter } from '../ledger/filter.ts';
import { rowOf, type SegmentHeader, type SegmentReader, type StoredEntry, type StoredRow } from '../ledger/ledger-store.ts';
import { readCanonical } from '../ledger/read-canonical.ts';
import { isObject } from '../ledger/shape.ts';
import { syncDirectory } from './durable-file.ts';
import { createSchema, harden, INDEXES, schemaDifference } from './sqlite-schema.ts';

const COLUMNS = 'seq, hash, prev, id, source, source_seq, time, kind, actor, trace, agent, tool, outcome, bytes';
const INSERT = `INSERT INTO entry (${COLUMNS}) VALUES (${COLUMNS.replace(/\w+/g, ':$&')})`;
/** How long another process's lock is waited for; only one ledger may have the segments open. */
const LOCK_MS = 2000;

/** One SQLite file of the ledger, open. */
export type Segment = SegmentReader & {
  readonly path: string;
  readonly lastRow: () => StoredRow | null;
  readonly counts: () => Map<string, number>;
  readonly append: (batch: readonly SealedEntry[]) => void;
  readonly search: (filter: QueryFilter, after: number, before: number, limit: number) => readonly StoredEntry[];
  /** No more entries: one plain file without a log beside it, not writable any more. */
  readonly seal: () => void;
  readonly close: () => void;
};

/** Whole or not at all: a crash leaves a file of another name, which the next start removes. */
export function createSegment(path: string, header: SegmentHeader): void {
  const temporary = `${path}.new`;
  for (const leftover of [temporary, `${temporary}-journal`]) rmSync(leftover, { force: true });
  const db = new Database(temporary);
  try {
    chmodSync(temporary, 0o600);
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = OFF');
    db.transaction(() => {
      createSchema(db);
      db.prepare('INSERT INTO segment VALUES (1, ?, ?, ?)').run(header.first, header.prev, canonicalText(header.sources));
    })();
  } finally {
    db.close();
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

export function openSegment(path: string, access: 'append' | 'read'): Segment {
  const db = new Database(path, { fileMustExist: true, readonly: access === 'read', timeout: LOCK_MS });
  try {
    if (access === 'append') {
      // Nobody else can hold a read transaction and so keep the log from being folded back (E16); no second ledger can open it.
      db.pragma('locking_mode = EXCLUSIVE');
      if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal') throw new Error('cannot switch the segment to a write-ahead log');
    }
    harden(db);
  } catch (fault) {
    db.close();
    throw fault;
  }
  return segmentOn(db, path);
}

function segmentOn(db: Database.Database, path: string): Segment {
  const prepared = new Map<string, Database.Statement>();

  function statement(sql: string): Database.Statement {
    let found = prepared.get(sql);
    if (found === undefined) prepared.set(sql, (found = db.prepare(sql)));
    return found;
  }

  const insertAll = db.transaction((batch: readonly SealedEntry[]) => {
    const insert = statement(INSERT);
    for (const sealed of batch) insert.run(rowOf(sealed));
  });

  function search(filter: QueryFilter, after: number, before: number, limit: number): readonly StoredEntry[] {
    const conditions = EQUALITIES.filter((field) => filter[field] !== undefined).map((field) => `${field} = :${field}`);
    if (filter.since !== undefined) conditions.push('time >= :since');
    if (filter.until !== undefined) conditions.push('time < :until');
    const where = ['seq > :after', 'seq < :before', ...conditions].join(' AND ');
    const order = filter.newestFirst === true ? 'DESC' : 'ASC';
    const { newestFirst: _order, limit: _limit, afterSeq: _after, beforeSeq: _before, ...values } = filter;
    const sql = `SELECT seq, bytes, hash FROM entry WHERE ${where} ORDER BY seq ${order} LIMIT :limit`;
    return statement(sql).all({ ...values, after, before, limit }) as StoredEntry[];
  }

  function seal(): void {
    db.pragma('wal_checkpoint(TRUNCATE)');
    if (db.pragma('journal_mode = DELETE', { simple: true }) !== 'delete') throw new Error(`cannot seal ${path}`);
    db.close();
    chmodSync(path, 0o400);
    syncFile(path);
    syncDirectory(dirname(path));
  }

  return {
    path,
    name: basename(path),
    first: Number.parseInt(basename(path), 10),
    header: () => parseHeader(statement('SELECT first, prev, sources FROM segment').all()),
    rows: (afterSeq, limit) =>
      statement(`SELECT ${COLUMNS} FROM entry NOT INDEXED WHERE seq > ? ORDER BY seq LIMIT ?`).all(afterSeq, limit) as StoredRow[],
    lastRow: () => (statement(`SELECT ${COLUMNS} FROM entry NOT INDEXED ORDER BY seq DESC LIMIT 1`).get() ?? null) as StoredRow | null,
    counts: () => new Map(statement('SELECT source, max(source_seq) FROM entry GROUP BY source').raw().all() as [string, number][]),
    schemaProblem: () => schemaDifference(db),
    indexProblem: (from, to) => indexProblem(statement, from, to),
    countProblem: (to) => countProblem(statement, to),
    append: (batch) => insertAll.immediate(batch),
    search,
    seal,
    close: () => db.close(),
  };
}

function parseHeader(rows: readonly unknown[]): SegmentHeader {
  const [row] = rows as { first: number; prev: string; sources: string }[];
  if (row === undefined || rows.length !== 1) throw new Error('the segment has no header');
  const sources = readCanonical(row.sources);
  if (!isObject(sources) || canonicalText(sources) !== row.sources) throw new Error('the segment header cannot be understood');
  return { first: row.first, prev: row.prev, sources: sources as Record<string, number> };
}

type Prepare = (sql: string) => Database.Statement;

/**
 * Each search structure with what it holds: an entry that one of them lost would be missing from an answer (E13). Its
 * number is compared as it is read from there, not only as it is found: in a damaged record the two can differ.
 */
const STRUCTURES = [
  { name: 'of the entries by number', by: 'NOT INDEXED', same: 'TRUE', holds: 'seq' },
  ...INDEXES.map(({ name, on, optional }) => ({ name, by: `INDEXED BY ${name}`, same: `e.${on} = r.${on}`, holds: optional ? on : 'seq' })),
  { name: 'by id', by: 'INDEXED BY sqlite_autoindex_entry_1', same: 'e.id = r.id', holds: 'seq' },
  {
    name: 'by source',
    by: 'INDEXED BY sqlite_autoindex_entry_2',
    same: 'e.source = r.source AND e.source_seq = r.source_seq',
    holds: 'seq',
  },
];

function indexProblem(prepare: Prepare, from: number, to: number): string | null {
  for (const { name, by, same, holds } of STRUCTURES) {
    const lost = prepare(
      `SELECT seq FROM entry AS r NOT INDEXED WHERE seq BETWEEN ? AND ? AND ${holds} IS NOT NULL AND r.seq IS NOT
         (SELECT e.seq FROM entry AS e ${by} WHERE ${same} AND e.seq = r.seq AND e.${holds} IS NOT NULL) LIMIT 1`,
    ).pluck().get(from, to);
    if (lost !== undefined) return `the index ${name} does not hold entry ${String(lost)}`;
  }
  return null;
}

function countProblem(prepare: Prepare, to: number): string | null {
  for (const { name, by, holds } of STRUCTURES) {
    const rows = prepare(`SELECT count(*) FROM entry NOT INDEXED WHERE seq <= ? AND ${holds} IS NOT NULL`).pluck().get(to);
    const held = prepare(`SELECT count(*) FROM entry ${by} WHERE seq <= ? AND ${holds} IS NOT NULL`).pluck().get(to);
    if (rows !== held) return `the index ${name} holds ${String(held)} entries, the table ${String(rows)}`;
  }
  return null;
}

function syncFile(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
