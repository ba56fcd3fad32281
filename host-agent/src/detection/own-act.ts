// SPDX-License-Identifier: Apache-2.0
import type { AuditEvent } from './audit-events.ts';
import { fieldsOf, RECORD, untrusted, type AuditFields, type AuditRecord } from './audit-record.ts';
import { isCurrentFolder, OPEN_CHANGES, OWN_CALLS, resultOf, type FileOp, type OwnCall } from './own-calls.ts';

/** What a contained agent did with its own hands, in the kernel's words. */
export type OwnAct = {
  readonly serial: number;
  readonly wallMs: number;
  readonly uid: number;
  readonly pid: number;
  readonly ppid: number;
  /** The file that ran, by the kernel's word; what a process calls itself is not asked. After an exec that worked, the new program. */
  readonly exe: string;
  /** `ok` or an errno. */
  readonly result: string;
  readonly whole: boolean;
  readonly what:
    | { readonly kind: 'exec'; readonly program: string; readonly argv: readonly string[]; readonly argc: number; readonly cwd: string }
    | { readonly kind: 'file'; readonly op: FileOp; readonly paths: readonly string[] };
};

const MOST_ARGUMENTS = 24;
const MOST_ARGUMENT = 256;
const MOST_PATH = 1024;
const MOST_PATHS = 4;
const UNKNOWN = '?';

/** Null for an event of anybody else, and for one that changed nothing: an open terminal or /dev/null is no file. */
export function ownActOf(event: AuditEvent, labels: ReadonlySet<string>): OwnAct | null {
  const { serial, wallMs, whole, records } = event;
  const record = records.find(({ type }) => type === RECORD.SYSCALL);
  if (record === undefined) return null;
  const said = fieldsOf(record);
  const label = said.get('subj');
  // A stack of labels (a//&b) is a call: its runner made it by a permit.
  if (label === undefined || !labels.has(label)) return null;
  const call = OWN_CALLS.get(Number(said.get('syscall')));
  if (call === undefined) return null;
  const items = records.filter(({ type }) => type === RECORD.PATH).map(fieldsOf);
  if (call.op === 'write' && (items.some(isDevice) || isReading(call, said, records))) return null;
  const names = namesOf(call, said, items, records);
  if (call.op === 'bind' && names.length === 0) return null;
  return {
    serial,
    wallMs,
    uid: Number(said.get('uid')),
    pid: Number(said.get('pid')),
    ppid: Number(said.get('ppid')),
    exe: cut(untrusted(said.get('exe')) ?? UNKNOWN, MOST_PATH),
    result: resultOf(said.get('success'), said.get('exit')),
    whole,
    what: call.op === 'exec'
      ? { kind: 'exec', program: names[0] ?? UNKNOWN, ...argumentsOf(records), cwd: cut(cwdOf(records) ?? UNKNOWN, MOST_PATH) }
      : { kind: 'file', op: call.op === 'write' && items.some((item) => item.get('nametype') === 'CREATE') ? 'create' : call.op, paths: names },
  };
}

/** The rules ask for opens that can change something; one for reading that AppArmor refused comes along with its refusal. */
function isReading({ flags }: OwnCall, said: AuditFields, records: readonly AuditRecord[]): boolean {
  if (flags !== undefined) return (Number.parseInt(said.get(`a${flags}`) ?? '', 16) & OPEN_CHANGES) === 0;
  return records.some((record) => record.type === RECORD.APPARMOR && /^[mr]+$/.test(untrusted(fieldsOf(record).get('requested_mask')) ?? ''));
}

/** A character device or a pipe that was opened for writing. `mode` is octal, with the file's type in front (inode(7)). */
function isDevice(item: AuditFields): boolean {
  const type = Number.parseInt(item.get('mode') ?? '0', 8) & 0o170000;
  return item.get('nametype') === 'NORMAL' && (type === 0o020000 || type === 0o010000);
}

/**
 * AppArmor's own record of the act names the file as it is found from the root of the agent's ring, whatever folder the program started
 * from. Where the profile says nothing, the path that the program gave.
 */
function namesOf(call: OwnCall, said: AuditFields, items: readonly AuditFields[], records: readonly AuditRecord[]): readonly string[] {
  const byProfile = records
    .filter(({ type }) => type === RECORD.APPARMOR)
    .map((record) => untrusted(fieldsOf(record).get('name')))
    .filter((name) => name !== null && name.startsWith('/'));
  // A link's record names it and not what it leads to; a program is found by its path, whatever the profile calls its file.
  const names = byProfile.length > 0 && call.op !== 'link' && call.op !== 'exec' ? byProfile : byItems(call, said, items, cwdOf(records));
  return [...new Set(names.map((name) => cut(name!.length > 1 ? name!.replace(/\/$/, '') : name!, MOST_PATH)))].slice(0, MOST_PATHS);
}

function byItems(call: OwnCall, said: AuditFields, items: readonly AuditFields[], cwd: string | null): readonly string[] {
  const elsewhere = (call.folders ?? []).some((argument) => !isCurrentFolder(said.get(`a${argument}`)));
  const named = items.filter((item) => item.get('nametype') !== 'PARENT');
  // An exec names its interpreter second. Of what was refused in a folder only the folder is known.
  const told = call.op === 'exec' ? named.slice(0, 1) : named.length > 0 ? named : items;
  return told.flatMap((item) => {
    const name = untrusted(item.get('name'));
    if (name === null) return item.get('inode') === undefined ? [] : [`${UNKNOWN}inode ${item.get('inode')} on ${item.get('dev')}`];
    const path = name.startsWith('/') ? name : `${elsewhere ? UNKNOWN : (cwd ?? UNKNOWN)}/${name}`;
    return [item.get('nametype') === 'PARENT' ? `${path.replace(/\/$/, '')}/${UNKNOWN}` : path];
  });
}

function cwdOf(records: readonly AuditRecord[]): string | null {
  const record = records.find(({ type }) => type === RECORD.CWD);
  return record === undefined ? null : untrusted(fieldsOf(record).get('cwd'));
}

/** An argument that is too long for one record comes in parts, `a2[0]`, `a2[1]` …; the first is longer than what is kept. */
function argumentsOf(records: readonly AuditRecord[]): { readonly argv: readonly string[]; readonly argc: number } {
  const fields = records.filter(({ type }) => type === RECORD.EXECVE).map(fieldsOf);
  const value = (name: string): string | undefined => fields.find((found) => found.has(name))?.get(name);
  const argc = Number(value('argc') ?? 0);
  const argv: string[] = [];
  for (let i = 0; i < Math.min(argc, MOST_ARGUMENTS); i += 1) {
    const text = untrusted(value(`a${i}`)) ?? firstPart(value(`a${i}[0]`));
    if (text === null) break;
    argv.push(cut(text, MOST_ARGUMENT));
  }
  return { argv, argc };
}

/** A part in digits may end within a character of up to four bytes. */
function firstPart(part: string | undefined): string | null {
  if (part === undefined || part.startsWith('"')) return untrusted(part);
  const texts = [0, 1, 2, 3].map((less) => untrusted(part.slice(0, 2 * (4 * MOST_ARGUMENT + 4 - less))));
  return texts.find((text) => text !== null && !text.startsWith('hex:')) ?? texts[0] ?? null;
}

/** Seen to be cut, and never in the middle of a character. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = text.slice(0, most);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
}
