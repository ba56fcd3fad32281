// SPDX-License-Identifier: Apache-2.0
// testdata/contained.records is what kernel 6.12 of the image said while a contained agent worked: a line of shell, files with odd names,
// a program from memory, one under another's name. Long arguments and interpreters' items were shortened.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openAuditEvents, type AuditEvent } from './audit-events.ts';
import { parseAuditRecord, type AuditRecord } from './audit-record.ts';
import { ownActOf, type OwnAct } from './own-act.ts';

const LABEL = 'holdfast-agent-dev-contained';
const LABELS = new Set([LABEL]);

function records(text: string): AuditRecord[] {
  return text.split('\n').filter((line) => line !== '').map((line) => {
    const space = line.indexOf(' ');
    const record = parseAuditRecord(Number(line.slice(0, space)), line.slice(space + 1));
    if (record === null) throw new Error(line);
    return record;
  });
}

function eventsOf(all: readonly AuditRecord[]): AuditEvent[] {
  const events: AuditEvent[] = [];
  const open = openAuditEvents((event) => events.push(event), 1000);
  for (const record of all) open.push(record, 0);
  open.tick(1000);
  return events;
}

const RECORDS = records(readFileSync(new URL('testdata/contained.records', import.meta.url), 'utf8'));
const ACTS = eventsOf(RECORDS).map((event) => ownActOf(event, LABELS)).filter((act) => act !== null);

const execs = ACTS.flatMap(({ what, ...act }) => (what.kind === 'exec' ? [{ ...act, ...what }] : []));
const files = ACTS.flatMap(({ what, ...act }) => (what.kind === 'file' ? [{ ...act, ...what }] : []));

describe('what the kernel said of a contained agent', () => {
  test('each program it ran, with its words, whatever is in them', () => {
    expect(execs.map(({ exe, argv, result }) => `${exe} ${result}: ${JSON.stringify(argv.map((word) => word.slice(0, 30)))}`)).toEqual([
      '/usr/bin/dash ok: ["/usr/bin/dash","/workspace/acts.sh"]',
      '/usr/bin/ls ok: ["ls","-l"]',
      '/usr/bin/mkdir ok: ["mkdir","d"]',
      '/usr/bin/mv ok: ["mv","a file","d/b"]',
      '/usr/bin/ln ok: ["ln","-s","d/b","l"]',
      '/usr/bin/ln ok: ["ln","d/b","h"]',
      '/usr/bin/chmod ok: ["chmod","600","d/b"]',
      '/usr/bin/rm ok: ["rm","-r","d"]',
      '/usr/bin/touch ok: ["touch","h"]',
      // a newline, a quote, a blank, and digits that are digits
      '/usr/bin/printf ok: ["/usr/bin/printf","x\\ny \\"q\\" 41424344\\\\n","a=b c","4142","\\"","ü"]',
      '/usr/bin/cat ok: ["cat","/etc/shadow"]',
      '/usr/bin/python3.13 ok: ["python3","-I","-c","\\nimport os,sys\\nfd=os.memfd_cre"]',
      // a program in memory, refused by the profile
      '/usr/bin/python3.13 EACCES: []',
      // under another's name
      '/usr/bin/true ok: ["/usr/sbin/sshd","-x","AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]',
      '/usr/bin/python3.13 ENOENT: []',
      '/usr/bin/dash ok: ["sh","-c","--","/workspace/tr a b"]',
      '/workspace/tr ok: ["/workspace/tr","a","b"]',
      '/usr/bin/dash ok: ["sh"]',
      '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ok: ["/lib64/ld-linux-x86-64.so.2","/usr/bin/true"]',
    ]);
    expect(execs.filter(({ result }) => result !== 'ok').map(({ program }) => program)).toEqual(['/proc/self/fd/3', '/nonexist']);
    expect(execs.find(({ argc, exe }) => argc === 3 && exe === '/usr/bin/true')?.argv[2]).toBe(`${'A'.repeat(256)}…`);
  });

  test('each file it changed, by its whole name, and nothing for /dev/null', () => {
    expect(files.map(({ op, paths, result }) => `${op} ${result} ${JSON.stringify(paths)}`)).toEqual([
      'create ok ["/workspace/a file"]',
      'mkdir ok ["/workspace/d"]',
      'rename ok ["/workspace/a file","/workspace/d/b"]',
      'link ok ["/workspace/d/b","/workspace/l"]',
      'link ok ["/workspace/d/b","/workspace/h"]',
      'chmod ok ["/workspace/d/b"]',
      // by a descriptor of its folder
      'delete ok ["/workspace/d/b"]',
      'delete ok ["/workspace/d"]',
      'write ok ["/workspace/h"]',
      'write EROFS ["/etc/?"]',
      // an open for reading that makes the file
      'create ok ["/workspace/rel\\nname"]',
      'delete ok ["/workspace/rel\\nname"]',
      'bind ok ["/workspace/sock"]',
      'create ok ["/workspace/tr"]',
      'chmod ok ["/workspace/tr"]',
      'chmod ok ["/workspace/tr"]',
    ]);
    expect(files.every(({ uid, whole }) => uid === 30103 && whole)).toBe(true);
  });

  test('is nobody else’s: another label, a stack of labels, no label', () => {
    const under = (label: string): (OwnAct | null)[] =>
      eventsOf(records(RECORDS.map(({ type, serial, text }) => `${type} audit(1.000:${serial}): ${text.replaceAll(`subj=${LABEL}`, `subj=${label}`)}`).join('\n')))
        .map((event) => ownActOf(event, LABELS)).filter((act) => act !== null);
    expect(under(LABEL)).toHaveLength(ACTS.length);
    for (const label of ['holdfast-agent-dev', `holdfast-runner-dev//&holdfast-call-dev`, `${LABEL}//&x`, 'unconfined', '"x" subj=x']) expect(under(label)).toEqual([]);
  });
});

describe('an event whose records come apart', () => {
  const exec = RECORDS.filter(({ serial }) => serial === execs[1]!.serial);
  const write = RECORDS.filter(({ serial }) => serial === files[0]!.serial);

  test('mixed with another’s', () => {
    const mixed = exec.flatMap((record, i) => [record, write[i]]).concat(write.slice(exec.length)).filter((record) => record !== undefined);
    expect(eventsOf(mixed).map((event) => ownActOf(event, LABELS)?.what)).toEqual([execs[1], files[0]].map((act) => ACTS.find(({ serial }) => serial === act!.serial)!.what));
  });

  test('without its end: told, and told that it is not whole', () => {
    expect(eventsOf(exec.slice(0, -1)).map((event) => ownActOf(event, LABELS)?.whole)).toEqual([false]);
    expect(eventsOf(exec.slice(0, 1)).map((event) => ownActOf(event, LABELS))).toMatchObject([{ exe: '/usr/bin/ls', whole: false, what: { argv: [], cwd: '?' } }]);
  });

  test('of endless length: the first records are kept', () => {
    const [first, ...rest] = exec;
    const long = [first!, ...Array.from({ length: 600 }, () => rest[0]!), ...rest.slice(-1)];
    const events = eventsOf(long);
    expect(events.map(({ records: kept, whole }) => [kept.length, whole])).toEqual([[48, false]]);
    expect(ownActOf(events[0]!, LABELS)?.what).toMatchObject({ argv: ['ls', '-l'] });
  });

  test('more at once than are put together: the oldest is told as it is', () => {
    const events: AuditEvent[] = [];
    const open = openAuditEvents((event) => events.push(event), 1000);
    for (let serial = 1; serial <= 1030; serial += 1) open.push({ ...exec[0]!, serial }, 0);
    expect(events.map(({ serial }) => serial)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(open.oldest()).toBe(7);
  });
});

describe('an open for reading that AppArmor refused changes nothing, though the kernel tells of it', () => {
  const said = (syscall: string, mask: string): OwnAct | null => {
    const id = 'audit(1795256219.800:900): ';
    const lines = [
      `1400 ${id}apparmor="DENIED" operation="open" class="file" profile="${LABEL}" name="/etc/x" pid=7 comm="cat" requested_mask="${mask}" denied_mask="${mask}" fsuid=30100 ouid=0`,
      `1300 ${id}arch=c000003e ${syscall} success=no exit=-13 items=0 ppid=1 pid=7 uid=30100 exe="/usr/bin/cat" subj=${LABEL} key=(null)`,
      `1320 ${id}`,
    ];
    return ownActOf(eventsOf(records(lines.join('\n')))[0]!, LABELS);
  };

  test.each([
    ['openat for writing', 'syscall=257 a0=ffffff9c a1=1 a2=80001 a3=0', 'w', 'write'],
    ['openat2 for writing', 'syscall=437 a0=ffffff9c a1=1 a2=2 a3=18', 'wc', 'write'],
    ['openat for reading', 'syscall=257 a0=ffffff9c a1=1 a2=80000 a3=0', 'r', null],
    ['openat2 for reading', 'syscall=437 a0=ffffff9c a1=1 a2=2 a3=18', 'r', null],
  ])('%s', (_, syscall, mask, op) => {
    const act = said(syscall, mask);
    expect(act === null ? null : act.what).toEqual(op === null ? null : { kind: 'file', op, paths: ['/etc/x'] });
  });
});
