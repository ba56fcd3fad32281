// SPDX-License-Identifier: Apache-2.0
// The addon against this machine's kernel, without changing anything of it; rules and records are tried in tests/vm/contained.test.ts.
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OWN_CALLS } from '../detection/own-calls.ts';
import { addon } from './addon.ts';
import { auditStatus, openAuditStream } from './audit-kernel.ts';

const GET = 1000;
const CALL_NUMBERS = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';

describe('the kernel’s audit configuration', () => {
  test('answers who may ask, and refuses everybody else by name', () => {
    let answer: unknown;
    try {
      answer = auditStatus();
    } catch (fault) {
      answer = (fault as NodeJS.ErrnoException).code;
    }
    if (typeof answer === 'string') expect(['EPERM', 'ECONNREFUSED', 'EPROTONOSUPPORT']).toContain(answer);
    else expect(answer).toEqual({ locked: expect.any(Boolean), lost: expect.any(Number) });
  });

  test('is not asked what no question holds', () => {
    expect(() => addon().auditAsk(GET, Buffer.alloc(4097))).toThrow('auditAsk(type, data)');
    expect(() => addon().auditAsk(70_000, Buffer.alloc(0))).toThrow('auditAsk(type, data)');
    expect(() => addon().auditAsk(GET, 'x' as unknown as Buffer)).toThrow('auditAsk(type, data)');
  });
});

test('a stream that is none is a fault, not silence', () => {
  const fd = openSync('/dev/null', 'r');
  try {
    expect(() => openAuditStream(fd).read(() => {}, () => {})).toThrow('ENOTSOCK');
    expect(() => addon().auditRead(-1, Buffer.alloc(0))).toThrow('auditRead(fd, buffer)');
  } finally {
    closeSync(fd);
  }
});

test.skipIf(!existsSync(CALL_NUMBERS))('the table of calls has the kernel’s own numbers', () => {
  const header = new Map([...readFileSync(CALL_NUMBERS, 'utf8').matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map((m) => [m[1]!, Number(m[2])]));
  const known = [...OWN_CALLS].filter(([, { name }]) => header.has(name));
  expect(known.length).toBeGreaterThan(30);
  for (const [number, { name }] of known) expect([name, header.get(name)]).toEqual([name, number]);
});
