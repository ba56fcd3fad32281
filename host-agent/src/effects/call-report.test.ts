// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { readCallReport } from './call-report.ts';

test.each([
  ['', { skipped: [], label: null, started: false, end: 'none' }],
  ['{"label":"a"}\n', { skipped: [], label: 'a', started: true, end: 'unknown' }],
  ['{"label":"a"}\n{"label":"a","exit":3}\n', { skipped: [], label: 'a', started: true, end: { exit: 3 } }],
  ['{"label":"a"}\n{"label":"a","signal":"SIGSEGV"}\n', { skipped: [], label: 'a', started: true, end: { signal: 'SIGSEGV' } }],
  ['{"label":"a"}\n{"label":"a","deadline":true}\n', { skipped: [], label: 'a', started: true, end: { deadline: true } }],
  ['{"error":"cgroup","errno":"EACCES"}\n', { skipped: [], label: null, started: false, end: { error: 'cgroup', errno: 'EACCES' } }],
  ['{"skipped":"/x","errno":"ELOOP"}\n{"label":"a"}\n{"label":"a","exit":0}\n', { skipped: [{ path: '/x', errno: 'ELOOP' }], label: 'a', started: true, end: { exit: 0 } }],
  ['{"skipped":"/x","errno":"ELOOP"}\n', { skipped: [{ path: '/x', errno: 'ELOOP' }], label: null, started: false, end: 'none' }],
  ['{"label":"a","error":"label"}\n', { skipped: [], label: 'a', started: false, end: { error: 'label', errno: '' } }],
  ['{"label":"a"}\n{"label":"a","error":"poll","errno":"EINVAL"}\n', { skipped: [], label: 'a', started: true, end: { error: 'poll', errno: 'EINVAL' } }],
  ['{"label":"a","error":"deadline","errno":"EINVAL"}\n', { skipped: [], label: 'a', started: false, end: { error: 'deadline', errno: 'EINVAL' } }],
  ['{"label":"a"}\n{"label":"a","ex', { skipped: [], label: 'a', started: true, end: 'unknown' }],
])('%j', (text, report) => {
  expect(readCallReport(text)).toEqual(report);
});
