// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, type Result } from '../identity/result.ts';
import { TRANSFER, WORKSPACE } from '../sandbox/bindable.ts';
import type { OwnWork } from '../sandbox/own-plan.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { decodeName } from './file-tool-records.ts';
import { factsOf, groupsOf, MOST_CHANGES } from './restore-calls.ts';

// A project in and out as a tar archive (host-agent/native/file-tool/op-unpack.c, op-pack.c). `path` is relative to the workspace.

/** What came may be a bundle of git instead, which becomes the file `bundle` in `path`; with null it is only told. */
export function unpackWork(path: string, transfer: string, bundle: string | null): OwnWork {
  const bindings = [{ path: WORKSPACE, access: 'rw' }, { path: TRANSFER, access: 'ro' }] as const;
  const options = ['--from', `${TRANSFER}/${transfer}`, ...(bundle === null ? [] : ['--bundle', bundle])];
  return { op: 'unpack', root: WORKSPACE, path, options, bindings };
}

export function packWork(path: string, transfer: string): OwnWork {
  const bindings = [{ path: WORKSPACE, access: 'ro' }, { path: TRANSFER, access: 'rw' }] as const;
  return { op: 'pack', root: WORKSPACE, path, options: ['--to', `${TRANSFER}/${transfer}`], bindings };
}

/** A bundle of git that lies in the workspace, as it is. */
export function liftWork(path: string, transfer: string): OwnWork {
  return { ...packWork(path, transfer), op: 'lift' };
}

/** An undo would take another time of the folder for a change of the agent's. */
export function clearWork(path: string): OwnWork {
  return { op: 'delete', root: WORKSPACE, path, options: ['--recursive', '--keep-time'], bindings: [{ path: WORKSPACE, access: 'rw' }] };
}

const count = z.int().min(0);
const unpacked = z.strictObject({ files: count, directories: count, links: count, bytes: count, left: count, bundle: z.boolean() });
const packed = z.strictObject({ entries: count, bytes: count, left: count });

/** What stayed behind, and why. */
type Left = { readonly leftPaths: readonly { readonly path: string; readonly why: string }[] };
export type Unpacked = z.infer<typeof unpacked> & Left;
export type Packed = z.infer<typeof packed> & Left;

export function readUnpacked(ran: RunResult): Result<Unpacked> {
  return withLeft(ran, unpacked);
}

export function readPacked(ran: RunResult): Result<Packed> {
  return withLeft(ran, packed);
}

export function readLifted(ran: RunResult): Result<unknown> {
  return factsOf(ran, z.strictObject({ bytes: count }));
}

export function readCleared(ran: RunResult): Result<unknown> {
  return factsOf(ran, z.strictObject({ removed: count }));
}

function withLeft<T>(ran: RunResult, schema: z.ZodType<T>): Result<T & Left> {
  const facts = factsOf(ran, schema);
  if (!facts.ok) return facts;
  const groups = groupsOf(ran, 3);
  if (!groups.ok) return groups;
  const leftPaths = groups.value.slice(0, MOST_CHANGES).map((fields) => ({ path: decodeName(fields[1]!), why: decodeName(fields[2]!) }));
  return accept({ ...facts.value, leftPaths });
}
