// SPDX-License-Identifier: Apache-2.0
// `make test` and `make check`: runs the named parts in order and ends with one line, `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { repository } from '../image/host/workplace.ts';

type Part = 'check' | 'native' | 'vm';
let passed = 0;
let failed = 0;
/** Told again at the end, where they are looked for. */
const failures: string[] = [];

function tool(name: string, script: string, args: readonly string[]): void {
  const ran = spawnSync(process.execPath, [join(repository, 'node_modules', script), ...args], { cwd: repository, stdio: 'inherit' });
  count(name, ran.status === 0 ? 1 : 0, ran.status === 0 ? 0 : 1);
}

function count(name: string, good: number, bad: number, told: readonly string[] = []): void {
  passed += good;
  failed += bad;
  if (bad > 0) failures.push(...(told.length > 0 ? told : [name]));
  console.log(`${bad === 0 ? '✓' : '✗'} ${name}`);
}

/** What vitest's JSON reporter says, as far as it is read here. */
type Report = {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
};

/** Each failed test with its file and the first lines of why; a file that failed outside its tests too. */
function failuresOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(repository, name);
    const bad = assertionResults.filter((result) => result.status === 'failed');
    if (bad.length === 0 && status === 'failed') return [`${file}\n${indented(message)}`];
    return bad.map(({ fullName, failureMessages }) => `${file} › ${fullName}\n${indented(failureMessages.join('\n'))}`);
  });
}

function indented(text: string): string {
  return text.split('\n').slice(0, 12).map((line) => `    ${line}`).join('\n');
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
  let said: readonly string[] = [];
  try {
    const told = JSON.parse(readFileSync(report, 'utf8')) as Report;
    good = told.numPassedTests;
    said = failuresOf(told);
    // A file that failed outside of its tests counts as one.
    bad = Math.max(said.length, good === 0 || ran.status !== 0 ? 1 : 0);
  } catch {
    // no report: counted as one failure
  }
  rmSync(dir, { recursive: true, force: true });
  count(`${project} tests: ${good} passed, ${bad} failed`, good, bad, said);
}

const PARTS: Record<Part, () => void> = {
  check() {
    tool('types (tsc)', 'typescript/bin/tsc', ['-p', 'tsconfig.json']);
    tool('lint (oxlint)', 'oxlint/bin/oxlint', ['--quiet', '--deny-warnings']);
    tool('nothing unused (knip)', 'knip/bin/knip.js', []);
    tests('unit');
  },
  native() {
    if (process.getuid?.() === 0) return tests('native');
    // They start each role as the user it has on the machine, which only root can.
    count('native tests: not run, for they need root', 0, 1, ['native tests need root to start each role as its own user: sudo make test']);
  },
  vm: () => tests('vm'),
};

for (const part of process.argv.slice(2)) PARTS[part as Part]();
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `✗ ${failure}`).join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
