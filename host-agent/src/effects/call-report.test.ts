// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { readCallReport } from './call-report.ts';

test.each([
  ['', { skipped: [], label: null, end: 'none' }],
  ['{"label":"a"}\n', { skipped: [], label: 'a', end: 'unknown' }],
  ['{"label":"a"}\n{"label":"a","exit":3}\n', { skipped: [], label: 'a', end: { exit: 3 } }],
  ['{"label":"a"}\n{"label":"a","signal":"SIGSEGV"}\n', { skipped: [], label: 'a', end: { signal: 'SIGSEGV' } }],
  ['{"label":"a"}\n{"label":"a","deadline":true}\n', { skipped: [], label: 'a', end: { deadline: true } }],
  ['{"error":"cgroup","errno":"EACCES"}\n', { skipped: [], label: null, end: { error: 'cgroup', errno: 'EACCES' } }],
  ['{"skipped":"/x","errno":"ELOOP"}\n{"label":"a"}\n{"label":"a","exit":0}\n', { skipped: [{ path: '/x', errno: 'ELOOP' }], label: 'a', end: { exit: 0 } }],
  ['{"skipped":"/x","errno":"ELOOP"}\n', { skipped: [{ path: '/x', errno: 'ELOOP' }], label: null, end: 'none' }],
  ['{"label":"a","error":"label"}\n', { skipped: [], label: 'a', end: { error: 'label', errno: '' } }],
  ['{"label":"a"}\n{"label":"a","ex', { skipped: [], label: 'a', end: 'unknown' }],
])('%j', (text, report) => {
  expect(readCallReport(text)).toEqual(report);
});
