// SPDX-License-Identifier: Apache-2.0
// `make test` and `make check`: runs the named parts in order and ends with one line, `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../image/host/workplace.ts';

type Part = 'check' | 'native' | 'vm';
let passed = 0;
let failed = 0;

function tool(name: string, script: string, args: readonly string[]): void {
  const ran = spawnSync(process.execPath, [join(repository, 'node_modules', script), ...args], { cwd: repository, stdio: 'inherit' });
  count(name, ran.status === 0 ? 1 : 0, ran.status === 0 ? 0 : 1);
}

function count(name: string, good: number, bad: number): void {
  passed += good;
  failed += bad;
  console.log(`${bad === 0 ? '✓' : '✗'} ${name}`);
}

/** Runs one vitest project. A run that tells nothing of its tests counts as a failure. */
function tests(project: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-tests-'));
  const report = join(dir, 'report.json');
  const ran = spawnSync(
    process.execPath,
    [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { cwd: repository, stdio: 'inherit' },
  );
  let good = 0;
  let bad = 1;
  try {
    const told = JSON.parse(readFileSync(report, 'utf8')) as { numPassedTests: number; numFailedTests: number; numFailedTestSuites: number };
    good = told.numPassedTests;
    bad = told.numFailedTests + (told.numFailedTests === 0 && ran.status !== 0 ? Math.max(1, told.numFailedTestSuites) : 0);
    if (good === 0) bad = Math.max(bad, 1);
  } catch {
    // no report: counted as one failure
  }
  rmSync(dir, { recursive: true, force: true });
  count(`${project} tests: ${good} passed, ${bad} failed`, good, bad);
}

const PARTS: Record<Part, () => void> = {
  check() {
    tool('types (tsc)', 'typescript/bin/tsc', ['-p', 'tsconfig.json']);
    tool('lint (oxlint)', 'oxlint/bin/oxlint', ['--quiet', '--deny-warnings']);
    tool('nothing unused (knip)', 'knip/bin/knip.js', []);
    tests('unit');
  },
  native: () => tests('native'),
  vm: () => tests('vm'),
};

for (const part of process.argv.slice(2)) PARTS[part as Part]();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
