// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldsOf, parseAuditRecord, untrusted } from './audit-record.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 300);

/** As audit_log_untrustedstring of kernel/audit.c writes a name. */
function kernelWrites(bytes: Uint8Array): string {
  const control = bytes.some((byte) => byte === 0x22 || byte < 0x21 || byte > 0x7e);
  return control ? Buffer.from(bytes).toString('hex').toUpperCase() : `"${Buffer.from(bytes).toString('latin1')}"`;
}

describe('a line of the kernel', () => {
  test('has its stamp', () => {
    expect(parseAuditRecord(1320, 'audit(1795256220.703:140): ')).toEqual({ type: 1320, wallMs: 1_795_256_220_703, serial: 140, text: '' });
  });

  test.each(['', 'audit(1.000:1)', ' audit(1.000:1): x', 'audit(1.000): x', 'audit(-1.000:1): x', 'audit(1.000:99999999999): x', 'x audit(1.000:1): '])('is not %j', (line) => {
    expect(parseAuditRecord(1300, line)).toBe(null);
  });

  test('gives its fields as they stand, the first of a name', () => {
    const record = parseAuditRecord(1300, 'audit(1.000:1): success=yes a0=1 comm="a" exe="/x" key=(null) comm="b" a1[0]=41 (enforce) =x end=1')!;
    expect(Object.fromEntries(fieldsOf(record))).toEqual({ success: 'yes', a0: '1', comm: '"a"', exe: '"/x"', key: '(null)', 'a1[0]': '41', end: '1' });
  });
});

describe('a value that a program chose', () => {
  test.each<[string | undefined, string | null]>([
    ['"x"', 'x'],
    // looks like digits, and is text
    ['"4142"', '4142'],
    ['4142', 'AB'],
    ['612066696C65', 'a file'],
    ['C3BC', 'ü'],
    ['EFBBBF41', '\ufeffA'],
    // no UTF-8: kept apart
    ['FF41', 'hex:ff41'],
    ['(null)', null],
    ['414', null],
    ['"', null],
    ['', null],
    [undefined, null],
  ])('%s is %j', (value, text) => expect(untrusted(value)).toBe(text));

  test('comes back as it was, and never becomes a field of its own', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('x" success=yes subj="y', 'a\nb', "'", '41', ' ', 'key=1')), (name) => {
        const bytes = new TextEncoder().encode(name);
        fc.pre(bytes.length > 0 && !bytes.includes(0));
        const fields = fieldsOf(parseAuditRecord(1300, `audit(1.000:1): success=no name=${kernelWrites(bytes)} subj=z`)!);
        expect([...fields.keys()]).toEqual(['success', 'name', 'subj']);
        expect(untrusted(fields.get('name'))).toBe(name);
        expect(fields.get('success')).toBe('no');
      }),
      { numRuns: COUNT },
    );
  });

  test('of any bytes: two names never become one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.uint8Array({ minLength: 1 }), (one, other) => {
        fc.pre(!Buffer.from(one).equals(Buffer.from(other)));
        expect(untrusted(kernelWrites(one))).not.toBe(untrusted(kernelWrites(other)));
      }),
      { numRuns: COUNT },
    );
  });
});
